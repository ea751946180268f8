//! The devices of a sandbox that its programs drive: by which nodes each is opened, and by which variable a
//! container is told of them. Looks only.

use std::collections::BTreeMap;

use serde::Serialize;

use super::variable::variables;
use crate::{
    inventory::Node,
    kernel::Kernel,
    lease::Attached,
    plan::{Plan, drives},
    types::{Name, PciAddress},
};

/// Before the name of a network in the variable that has its devices.
const VARIABLE: &str = "VFHOOK_VFIO_";

/// A device that a program drives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VfioDevice {
    /// The network.
    pub network: Name,
    /// The device.
    pub device: PciAddress,
    /// The nodes by which it is opened: its group's, and that of all groups. Empty where vfio-pci has it no more.
    pub nodes: Vec<Node>,
}

/// Those of `networks` that `plan` gave to programs.
pub(super) fn devices(
    kernel: &mut impl Kernel,
    networks: &[Attached],
    plan: &Plan,
) -> Vec<VfioDevice> {
    let driven = networks.iter().filter_map(|had| Some((had, had.device?)));
    let driven = driven.filter(|(_, device)| drives(plan, *device));
    let of = |(had, device): (&Attached, PciAddress)| {
        let nodes = kernel.vfio_nodes(device).map(Vec::from).unwrap_or_default();
        VfioDevice { network: had.network.clone(), device, nodes }
    };
    driven.map(of).collect()
}

/// The variables that name them.
pub(super) fn environment(devices: &[VfioDevice]) -> BTreeMap<String, String> {
    let named = devices.iter().map(|device| (&device.network, device.device.to_string()));
    variables(VARIABLE, named)
}
