//! What a pool has to offer: each of its VFs, and whether a pod that begins now could have it. Looks only.

use std::num::NonZeroU32;

use super::{Context, OperationError};
use crate::{
    config::{Pool, PoolKind, Publish},
    inventory::{Candidate, PhysicalFunction, Properties},
    kernel::Kernel,
    lease::{Claim, Lease, LeaseState},
    types::{DeviceName, DeviceSelector, KernelText, Name, PciAddress},
};

/// One VF of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The VF.
    pub vf: Candidate,
    /// What it is.
    pub properties: Properties,
    /// What its card can be told to enforce for it, where somebody selects by that.
    pub enforceable: Enforceable,
    /// Why it cannot be had. What a pod has that it was kept for is that pod's to have.
    pub withheld: Option<String>,
}

/// What a card can be told to enforce for its VFs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Enforceable {
    /// A VLAN.
    pub vlan: bool,
    /// Whether it trusts them.
    pub trust: bool,
}

/// Every VF of a pool, in order; a pool of another kind has none. Costs a few netlink messages for each that no lease holds.
pub fn offer(
    kernel: &mut impl Kernel,
    context: &Context,
    pool: &Name,
) -> Result<Vec<Offered>, OperationError> {
    let settings = context.config.pools.get(pool).filter(|pool| pool.kind == PoolKind::Sriov);
    let Some(settings) = settings else { return Ok(Vec::new()) };
    let mut offered = Vec::new();
    // That one is missing is told by `status` and `doctor`; of what is not there nothing is offered.
    for function in kernel.physical_functions(&settings.selector).found {
        let down = is_down(kernel, &function.name, function.address);
        let enforceable = enforceable(kernel, settings, &function);
        for vf in function.vfs {
            if is_member(kernel, context, &vf, &settings.selector) {
                let withheld = withheld(kernel, context, pool, &vf)?.or_else(|| down.clone());
                let properties = kernel.properties(&vf);
                offered.push(Offered { vf, properties, enforceable, withheld });
            }
        }
    }
    offered.sort_by_key(|offered| offered.vf.address);
    Ok(offered)
}

/// What a card can be told to enforce: for one VF as for another. Only claims select by that; it asks the card's driver.
fn enforceable(kernel: &mut impl Kernel, pool: &Pool, card: &PhysicalFunction) -> Enforceable {
    let first = card.vfs.first().filter(|_| pool.publish == Some(Publish::Dra));
    let told = first.and_then(|vf| kernel.observe_attributes(vf).ok()).unwrap_or_default();
    Enforceable { vlan: told.vlan.is_some(), trust: told.trust.is_some() }
}

/// Whether a VF belongs to the pool. One that is leased does, as when it was given: what a tenant does to it changes nothing.
pub(super) fn is_member(
    kernel: &mut impl Kernel,
    context: &Context,
    vf: &Candidate,
    selector: &DeviceSelector,
) -> bool {
    selector.wants(vf.index, vf.address)
        && (context.leases.is_taken(&Claim::Device(vf.address)) || kernel.matches(vf, selector))
}

/// The parent of a pool whose devices are made, of which each pod has a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedParent {
    /// What is made on it.
    pub kind: &'static str,
    /// Its interface.
    pub name: KernelText,
    /// The card that it is on, where it is on one.
    pub card: Option<PciAddress>,
    /// What that is.
    pub properties: Properties,
    /// How many devices it is to have at most.
    pub shares: NonZeroU32,
    /// Why no device can be had of it.
    pub withheld: Option<String>,
}

/// The parent of a pool whose devices are made; nothing of one that is not there. Costs a netlink message.
pub fn offer_parent(
    kernel: &mut impl Kernel,
    context: &Context,
    pool: &Name,
) -> Option<OfferedParent> {
    let pool = context.config.pools.get(pool).filter(|pool| pool.kind.upper().is_some())?;
    let link = kernel.observe_link(pool.selector.pf.first()?).ok()?;
    let properties = link.parent.map(|address| {
        // What is asked for is the same of a card and of a function of it.
        let card = Candidate { address, index: 0, pf_address: address, pf_name: link.name.clone() };
        kernel.properties(&card)
    });
    Some(OfferedParent {
        withheld: (!link.up).then(|| format!("parent {} is down", link.name)),
        kind: pool.kind.as_str(),
        name: link.name,
        card: link.parent,
        properties: properties.unwrap_or_default(),
        shares: pool.shares,
    })
}

fn is_down(kernel: &mut impl Kernel, name: &KernelText, address: PciAddress) -> Option<String> {
    match kernel.observe_link(&DeviceName::Address(address)) {
        Ok(link) if link.up => None,
        Ok(_) => Some(format!("its physical function {name} is down")),
        Err(error) => Some(error.to_string()),
    }
}

/// Why a VF cannot be had.
fn withheld(
    kernel: &mut impl Kernel,
    context: &Context,
    pool: &Name,
    vf: &Candidate,
) -> Result<Option<String>, OperationError> {
    let kept = context.leases.allocated_of(vf.address)?;
    if let Some(other) = kept.as_ref().filter(|kept| *kept != pool) {
        return Ok(Some(format!("it is kept for a pod, as one of pool {other}")));
    }
    let holder = Claim::Device(vf.address);
    if let Some(lease) = context.leases.find(&holder)? {
        return Ok(held(&lease, kept.is_some()));
    }
    let seen = kernel.observe_device(vf, false)?;
    // It may have been given, and moved, since it was asked who holds it.
    match context.leases.find(&holder)? {
        Some(lease) => Ok(held(&lease, kept.is_some())),
        None => Ok(seen.err().map(|why| why.to_string())),
    }
}

/// Why a VF that a lease holds cannot be had by the pod that it is kept for, if it is kept for one.
fn held(lease: &Lease, is_kept: bool) -> Option<String> {
    let holder = lease.id.short();
    match lease.state {
        LeaseState::Releasing | LeaseState::NeedsCleanup { .. } => {
            Some(format!("sandbox {holder} has not given it back wholly"))
        }
        LeaseState::Attached | LeaseState::Reserved if is_kept => None,
        LeaseState::Attached | LeaseState::Reserved => {
            Some(format!("sandbox {holder} has it, for which nobody counted it"))
        }
    }
}
