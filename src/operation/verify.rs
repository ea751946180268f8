//! Whether a sandbox has what it asks for. Looks at the lease and at the sandbox; changes nothing, and so needs no lock.

use std::{collections::BTreeSet, fmt};

use super::{Context, OperationError, chronicle, driving::Driving, hold, rdma, vfio::devices};
use crate::{
    kernel::Kernel,
    lease::{Attached, Claim, Lease, LeaseState},
    request::NetworkRequest,
    types::{Allotted, Name, NetnsSource, PciAddress, SandboxId},
};

/// What was promised to a container by whoever counts devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promised {
    /// This VF.
    Device(PciAddress),
    /// A device of this pool, which gives as many as are asked for.
    Of(Name),
}

impl Promised {
    fn is_in(&self, lease: &Lease) -> bool {
        let is_it = |had: &Attached| match self {
            Self::Device(device) => had.device == Some(*device),
            Self::Of(pool) => had.pool == *pool,
        };
        lease.networks.iter().any(is_it)
    }
}

impl fmt::Display for Promised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => write!(f, "VF {device}"),
            Self::Of(pool) => write!(f, "a device of pool {pool}"),
        }
    }
}

/// Fails unless the sandbox at `netns` has every network of `asked`, and what was `promised` to it. `id` is whom the error
/// names.
///
/// The configuration is not looked at: a sandbox keeps what it was given when its network is renamed or closed. Answers with what its
/// programs need to drive devices.
pub fn verify(
    kernel: &mut impl Kernel,
    context: &Context,
    id: &SandboxId,
    netns: &NetnsSource,
    asked: &[NetworkRequest],
    promised: Option<&Promised>,
) -> Result<Driving, OperationError> {
    let verified = has_all(kernel, context, id, netns, asked, promised);
    verified.inspect_err(|error| chronicle::unverified(context, id, asked, error))
}

fn has_all(
    kernel: &mut impl Kernel,
    context: &Context,
    id: &SandboxId,
    netns: &NetnsSource,
    asked: &[NetworkRequest],
    promised: Option<&Promised>,
) -> Result<Driving, OperationError> {
    let identity = kernel.open_sandbox(netns)?;
    let lease = context.leases.find(&Claim::Netns(identity.cookie))?;
    let missing = |why| OperationError::Missing { id: id.clone(), why };
    let Some(lease) = lease else {
        let promised = promised.map(ToString::to_string);
        let wanted = if asked.is_empty() { promised.unwrap_or_default() } else { list(asked) };
        return Err(missing(format!("{wanted} was not attached")));
    };
    if lease.state != LeaseState::Attached {
        return Err(missing("it is only half attached".to_owned()));
    }
    let has = |asked: &&NetworkRequest| lease.networks.iter().any(|had| gives(had, asked));
    if let Some(lacks) = asked.iter().find(|asked| !has(asked)) {
        return Err(missing(format!("{} was not attached", lacks.network)));
    }
    if let Some(promised) = promised.filter(|promised| !promised.is_in(&lease)) {
        return Err(missing(format!("{promised}, which was promised to it, was not attached")));
    }
    hold::require(kernel, &lease)?;
    let vfio = devices(kernel, &lease.networks, &lease.plan);
    Ok(Driving::of(&lease.networks, &vfio, &rdma::devices(kernel, &lease.networks)))
}

/// Whether this is what was asked for. A request that leaves something open takes what was chosen, and a MAC address that a
/// driver was let off is nobody's.
pub(super) fn gives(had: &Attached, asked: &NetworkRequest) -> bool {
    had.network == asked.network
        && asked.interface.as_ref().is_none_or(|interface| *interface == had.interface)
        && asked.addresses.iter().all(|address| had.addresses.contains(address))
        && asked.device.and_then(Allotted::vf).is_none_or(|device| had.device == Some(device))
        && asked.mac.is_none_or(|mac| had.mac.is_none_or(|had| had == mac))
}

fn list(asked: &[NetworkRequest]) -> String {
    let names: BTreeSet<&str> = asked.iter().map(|asked| asked.network.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}
