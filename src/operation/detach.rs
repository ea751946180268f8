//! Takes back what a sandbox has.

use super::{
    Context, OperationError, Preview, chronicle,
    recover::{left_of, release, release_telling},
};
use crate::{
    history::What,
    kernel::Kernel,
    lease::{Claim, Lease, LeaseState},
    plan,
    types::{Deadline, NetnsSource, SandboxId},
};

/// Which sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All of the sandbox that this container is in.
    Id(SandboxId),
    /// The sandbox with this namespace.
    Netns(NetnsSource),
    /// The part of this container: the sandbox goes when its last container left.
    Holder(SandboxId),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detached {
    /// Everything was taken back.
    Detached,
    /// Other containers still share the namespace; they keep what it has.
    StillShared,
    /// There is no such lease: nothing to do.
    Unknown,
}

/// Takes back what the sandbox has. Idempotent: what is not there is not missed.
pub fn detach(
    kernel: &mut impl Kernel,
    context: &Context,
    which: &Which,
    deadline: Deadline,
) -> Result<Detached, OperationError> {
    detach_telling(kernel, context, which, deadline, || {})
}

/// The same, for who need not wait to the end: `tell` is called when devices are home and only links of ours are left to be deleted,
/// which the kernel takes its time for. Should the process die then, the lease has the rest.
pub fn detach_telling(
    kernel: &mut impl Kernel,
    context: &Context,
    which: &Which,
    deadline: Deadline,
    tell: impl FnOnce(),
) -> Result<Detached, OperationError> {
    let claim = claim_of(kernel, which)?;
    let Some(mut reservation) = context.leases.reserve_existing(&claim, deadline)? else {
        context.leases.forget_the_dead(deadline)?;
        if let Which::Id(id) | Which::Holder(id) = which {
            context.leases.forget_notices_of(id)?;
        }
        return Ok(Detached::Unknown);
    };
    if let Which::Holder(id) = which {
        if leave(context, &mut reservation.lease, id, deadline)? {
            return Ok(Detached::StillShared);
        }
    }
    release_telling(kernel, context, reservation, "", deadline, tell)?;
    Ok(Detached::Detached)
}

/// Takes back every lease that `is_stale`. One that fails keeps no other; the first failure is told.
pub fn detach_stale(
    kernel: &mut impl Kernel,
    context: &Context,
    is_stale: impl Fn(&Lease) -> bool,
    deadline: Deadline,
) -> Result<(), OperationError> {
    let mut failures: Vec<OperationError> = Vec::new();
    for seen in context.leases.each()? {
        let seen = match seen {
            Ok(lease) if is_stale(&lease) => lease,
            Ok(_) => continue,
            Err(error) => {
                failures.push(error.into());
                continue;
            }
        };
        let reserved = context.leases.reserve_existing(&Claim::Id(seen.id.clone()), deadline);
        let done = match reserved.map(|found| found.filter(|found| is_stale(&found.lease))) {
            Ok(Some(stale)) => {
                release(kernel, context, stale, "its runtime no longer knows it", deadline)
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        failures.extend(done.err());
    }
    failures.into_iter().next().map_or(Ok(()), Err)
}

/// What [`detach`] would do; `None` when there is no such lease.
pub fn preview_detach(
    kernel: &mut impl Kernel,
    context: &Context,
    which: &Which,
) -> Result<Option<Preview>, OperationError> {
    let claim = claim_of(kernel, which)?;
    let Some(lease) = context.leases.find(&claim)? else { return Ok(None) };
    let mut steps = left_of(&lease);
    steps.extend(plan::last_one_out(&lease.plan, context.leases.others_of(&lease)?));
    Ok(Some(Preview::of_undo(steps)))
}

pub(super) fn claim_of(kernel: &mut impl Kernel, which: &Which) -> Result<Claim, OperationError> {
    Ok(match which {
        Which::Id(id) | Which::Holder(id) => Claim::Id(id.clone()),
        Which::Netns(source) => Claim::Netns(kernel.open_sandbox(source)?.cookie),
    })
}

/// Takes one container out of a lease that others hold too; `false` when it was the last.
fn leave(
    context: &Context,
    lease: &mut Lease,
    id: &SandboxId,
    deadline: Deadline,
) -> Result<bool, OperationError> {
    if lease.state != LeaseState::Attached || !lease.holders.iter().any(|holder| holder != id) {
        return Ok(false);
    }
    context.leases.lock(deadline)?.leave(lease, id)?;
    chronicle::shared(context, lease, What::Left, id);
    Ok(true)
}
