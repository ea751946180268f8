//! Keeps for a pod the devices that a scheduler chose for its claim, and lets go of them. Nothing is done to a device: the pod's sandbox
//! is given it, and gives it back, as any other.

use super::{Context, OperationError, offer::is_member};
use crate::{
    config::{Pool, PoolKind, Publish},
    inventory::Candidate,
    kernel::{Kernel, KernelError},
    lease::{
        Claim, ClaimedDevice, Lease, LeaseError, LeaseState, OperationLock, PreparedClaim,
        PreparedDevice,
    },
    types::{DeviceName, Name, PciAddress, Uid},
};

/// Why a claim's devices cannot be kept for its pod.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// There is nothing like this to claim here.
    #[error("pool {0} is not published to claims on this node: publish = \"dra\" in its [[pool]]")]
    NoPool(Name),
    /// The parent of a macvlan pool is gone.
    #[error("parent {parent} of pool {pool} gives no devices: {why}")]
    NoParent {
        /// The pool.
        pool: Name,
        /// Its parent.
        parent: DeviceName,
        /// Why not.
        why: String,
    },
    /// Something was chosen that a pool of this kind does not have.
    #[error("pool {0} has {1}; the claim's device is of another kind: its slice was an older one")]
    OtherKind(Name, &'static str),
    /// The device is gone, or another's.
    #[error("there is no VF {device} in pool {pool} on this node")]
    NoDevice {
        /// The pool.
        pool: Name,
        /// What was chosen.
        device: PciAddress,
    },
    /// Somebody else has it now.
    #[error("VF {device} cannot be given: {why}")]
    NotNow {
        /// What was chosen.
        device: PciAddress,
        /// Who has it, or what is wrong with it.
        why: String,
    },
    /// The record could not be used.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The machine could not be looked at.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

impl ClaimError {
    /// Whether waiting may help: a VF may just be on its way home.
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::NoPool(_) | Self::OtherKind(..))
    }
}

/// Keeps the devices of a claim for its pod. May be repeated: what is kept for this claim already stays so.
pub fn prepare_claim(
    kernel: &mut impl Kernel,
    context: &Context,
    claim: &PreparedClaim,
) -> Result<(), ClaimError> {
    let known = context.leases.prepared_of(&claim.uid)?;
    let had = known.filter(|known| known.pod == claim.pod);
    let mut looking = Vec::new();
    for device in &claim.devices {
        let is_kept = had.as_ref().is_some_and(|had| had.devices.contains(device));
        looking.extend(free(kernel, context, device, is_kept)?);
    }
    Ok(context.leases.keep(claim)?)
}

/// Lets go of what is kept for a claim; one that nobody knows has nothing. What its pod's sandbox has of it still comes home by itself.
pub fn unprepare_claim(context: &Context, claim: &Uid) -> Result<(), OperationError> {
    Ok(context.leases.let_go(claim)?)
}

/// Makes sure that a device is there for the claim to have, and keeps others from choosing it meanwhile.
fn free(
    kernel: &mut impl Kernel,
    context: &Context,
    wanted: &PreparedDevice,
    is_kept: bool,
) -> Result<Option<OperationLock>, ClaimError> {
    let pool = pool_of(context, &wanted.pool)?;
    let device = match (&wanted.device, pool.kind) {
        (ClaimedDevice::Vf(device), PoolKind::Sriov) => *device,
        (ClaimedDevice::Share(_), PoolKind::Made(_)) => {
            return parent_is_up(kernel, &wanted.pool, pool).map(|()| None);
        }
        (_, PoolKind::HostDevice | PoolKind::Bond | PoolKind::Vlan) => {
            let what = "devices that no claim has";
            return Err(ClaimError::OtherKind(wanted.pool.clone(), what));
        }
        (_, PoolKind::Sriov) => return Err(ClaimError::OtherKind(wanted.pool.clone(), "VFs")),
        (_, PoolKind::Made(_)) => {
            return Err(ClaimError::OtherKind(wanted.pool.clone(), "shares of a parent"));
        }
    };
    let vf = find(kernel, context, (&wanted.pool, pool), device)?;
    let not_now = |why: String| ClaimError::NotNow { device, why };
    match context.leases.find(&Claim::Device(device))? {
        Some(Lease { id, state: LeaseState::NeedsCleanup { failures, .. }, .. }) => {
            let (id, why) = (id.short(), failures.join("; "));
            return Err(not_now(format!("sandbox {id} has not given it back wholly: {why}")));
        }
        // That of its own pod, whose next one waits for it.
        Some(_) if is_kept => return Ok(None),
        Some(lease) => return Err(not_now(format!("sandbox {} has it", lease.id.short()))),
        None => {}
    }
    let looking = context.leases.look_at(device)?;
    let looking = looking.ok_or_else(|| not_now("another vfhook looks at it".to_owned()))?;
    // From here on the answers stay as they are.
    if !is_kept && context.leases.is_allocated(device) {
        return Err(not_now("it is kept for another pod".to_owned()));
    }
    if context.leases.is_taken(&Claim::Device(device)) {
        return Err(not_now("a sandbox has it".to_owned()));
    }
    kernel.observe_device(&vf, false)?.map_err(|why| not_now(why.to_string()))?;
    Ok(Some(looking))
}

/// The VF that is wanted, where it belongs to its pool still.
fn find(
    kernel: &mut impl Kernel,
    context: &Context,
    (name, settings): (&Name, &Pool),
    device: PciAddress,
) -> Result<Candidate, ClaimError> {
    let functions = kernel.physical_functions(&settings.selector).found;
    let mut vfs = functions.into_iter().flat_map(|function| function.vfs);
    vfs.find(|vf| vf.address == device)
        .filter(|vf| is_member(kernel, context, vf, &settings.selector))
        .ok_or_else(|| ClaimError::NoDevice { pool: name.clone(), device })
}

fn pool_of<'a>(context: &'a Context, name: &Name) -> Result<&'a Pool, ClaimError> {
    let pool = context.config.pools.get(name);
    pool.filter(|pool| pool.publish == Some(Publish::Dra))
        .ok_or_else(|| ClaimError::NoPool(name.clone()))
}

/// Of a parent everybody may have a share who asks while it is there and up.
fn parent_is_up(kernel: &mut impl Kernel, name: &Name, pool: &Pool) -> Result<(), ClaimError> {
    let down = |parent: &DeviceName, why| {
        let (pool, parent) = (name.clone(), parent.clone());
        Err(ClaimError::NoParent { pool, parent, why })
    };
    for parent in &pool.selector.pf {
        match kernel.observe_link(parent) {
            Ok(link) if link.up => {}
            Ok(_) => return down(parent, format!("it is down; try `ip link set {parent} up`")),
            Err(error) => return down(parent, error.to_string()),
        }
    }
    Ok(())
}
