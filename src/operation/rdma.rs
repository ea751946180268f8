//! RDMA devices that programs of a sandbox may use beside its interfaces: found when a network asks for them, and by which nodes each is
//! used. They stay where they are: the kernel shares them among network namespaces, and looks at an interface's for addresses.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{OperationError, choose::Chooser, variable::variables};
use crate::{
    inventory::Node,
    kernel::Kernel,
    lease::Attached,
    plan::ChosenDevice,
    request::NetworkIntent,
    types::{KernelText, Name},
};

/// Before the name of a network in the variable that has its RDMA devices.
const VARIABLE: &str = "VFHOOK_RDMA_";

/// An RDMA device that programs may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RdmaDevice {
    /// The network.
    pub network: Name,
    /// The device, as `rdma link` calls it.
    pub device: KernelText,
    /// The nodes by which it is used. Empty where it is gone.
    pub nodes: Vec<Node>,
}

/// Those of `networks`.
pub(super) fn devices(kernel: &mut impl Kernel, networks: &[Attached]) -> Vec<RdmaDevice> {
    let of = |had: &Attached| {
        let device = had.rdma.clone()?;
        let nodes = kernel.rdma_nodes(&device);
        Some(RdmaDevice { network: had.network.clone(), device, nodes })
    };
    networks.iter().filter_map(of).collect()
}

/// The variables that name them.
pub(super) fn environment(devices: &[RdmaDevice]) -> BTreeMap<String, String> {
    let named = devices.iter().map(|device| (&device.network, device.device.to_string()));
    variables(VARIABLE, named)
}

impl<K: Kernel> Chooser<'_, K> {
    /// The RDMA device of what was chosen, where the network asks for it.
    pub(super) fn rdma(
        &mut self,
        intent: &NetworkIntent,
        device: &ChosenDevice,
    ) -> Result<Option<KernelText>, OperationError> {
        if !intent.network.rdma {
            return Ok(None);
        }
        let link = match device {
            ChosenDevice::Vf(device) => &device.link,
            ChosenDevice::Whole(device) => &device.link,
            ChosenDevice::Made(_, parent) => parent,
            // The configuration refuses these.
            ChosenDevice::Vfio(..) | ChosenDevice::Bond(_) => return Ok(None),
        };
        let found = self.kernel.rdma_device(link);
        found.map(Some).map_err(|why| OperationError::NoRdma {
            network: intent.name.clone(),
            interface: link.name.clone(),
            why,
        })
    }
}
