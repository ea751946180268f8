//! What the interfaces of all sandboxes have carried until now. Looks only; what that is a second, whoever looks twice tells.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Context, OperationError};
use crate::{
    inventory::Traffic,
    kernel::CountsTraffic,
    lease::{Lease, LeaseState},
    types::{InterfaceName, KernelText, Name, PciAddress, SandboxId, with_causes},
};

/// One look.
#[derive(Debug, Default)]
pub struct Carried {
    /// The interfaces that were counted.
    pub interfaces: BTreeMap<Carrier, Traffic>,
    /// Sandboxes that could not be looked into, and why.
    pub unseen: Vec<Unseen>,
}

/// An interface that a sandbox was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Carrier {
    /// Whose it is.
    pub sandbox: SandboxId,
    /// The pod's namespace, of a pod.
    pub namespace: Option<String>,
    /// The pod's name.
    pub pod: Option<String>,
    /// Its name in the sandbox.
    pub interface: InterfaceName,
    /// Which network; `None` where it is the service path.
    pub network: Option<Name>,
    /// The device that it is of; `None` where it was made.
    pub device: Option<PciAddress>,
}

/// A sandbox that could not be looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// Which.
    pub sandbox: SandboxId,
    /// Why not.
    pub why: String,
}

/// Counts. What a program drives by vfio has no interface that counts, and is not among them.
pub fn traffic(
    kernel: &mut impl CountsTraffic,
    context: &Context,
) -> Result<Carried, OperationError> {
    let mut carried = Carried::default();
    for lease in context.leases.each()? {
        match lease {
            Ok(lease) if lease.state == LeaseState::Attached => match of(kernel, &lease) {
                Ok(counted) => carried.interfaces.extend(counted),
                Err(why) => carried.unseen.push(Unseen { sandbox: lease.id, why }),
            },
            // What is on its way carries nothing for anybody.
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = %with_causes(&error), "a lease is left out");
            }
        }
    }
    Ok(carried)
}

fn of(kernel: &mut impl CountsTraffic, lease: &Lease) -> Result<Vec<(Carrier, Traffic)>, String> {
    match kernel.reopen_sandbox(&lease.netns) {
        Ok(true) => {}
        Ok(false) => return Err("its network namespace is not where it was".to_owned()),
        Err(error) => return Err(with_causes(&error)),
    }
    let counts = kernel.traffic().map_err(|error| with_causes(&error))?;
    let carrier = |interface: &InterfaceName, network, device| Carrier {
        sandbox: lease.id.clone(),
        namespace: lease.namespace.clone(),
        pod: lease.pod.clone(),
        interface: interface.clone(),
        network,
        device,
    };
    let given = lease
        .interfaces()
        .map(|had| carrier(&had.interface, Some(had.network.clone()), had.device));
    let service = lease.service_interface.iter().map(|interface| carrier(interface, None, None));
    let counted = given.chain(service).filter_map(|carrier| {
        let count = counts.get(&KernelText::from(&carrier.interface)).copied()?;
        Some((carrier, count))
    });
    Ok(counted.collect())
}
