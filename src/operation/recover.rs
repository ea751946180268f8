//! Takes a lease back, from whatever state it is in: the one way that detaching, clearing away what a dead process left,
//! and trying again after a failure all go.

use std::time::Duration;

use super::{Context, OperationError, chronicle, journal, now, step_kind::times};
use crate::{
    execute::{self, Undone},
    kernel::Kernel,
    lease::{Claim, Lease, LeaseState, Reservation},
    plan::{self, step::Step},
    types::Deadline,
};

/// How long recording the end of a lease may wait for others: what was done must be recorded even past the deadline.
const PATIENCE: Duration = Duration::from_secs(10);

/// Undoes everything that the lease's plan may have done and forgets the lease; or keeps it with what is left. `why` is for people; empty
/// where the sandbox's end is all.
pub(super) fn release(
    kernel: &mut impl Kernel,
    context: &Context,
    reservation: Reservation,
    why: &str,
    deadline: Deadline,
) -> Result<(), OperationError> {
    release_telling(kernel, context, reservation, why, deadline, || {})
}

/// The same; calls `tell` when nobody needs to wait any longer, unless there is something to tell of.
pub(super) fn release_telling(
    kernel: &mut impl Kernel,
    context: &Context,
    mut reservation: Reservation,
    why: &str,
    deadline: Deadline,
    tell: impl FnOnce(),
) -> Result<(), OperationError> {
    let added = release_additions(kernel, context, &reservation.lease, why, deadline);
    let began = journal::begin();
    let steps = left_of(&reservation.lease);
    if !matches!(reservation.lease.state, LeaseState::NeedsCleanup { .. }) {
        reservation.lease.state = LeaseState::Releasing;
        // On a full disk too everything must come to its end: the lease as it was written before has every undo.
        if let Err(error) = context.leases.update(&reservation.lease) {
            tracing::warn!(%error, "taking back without having said so");
        }
    }
    kernel.find_sandbox(&reservation.lease.netns)?;
    let undone = execute::undo_telling(&steps, plan::urgent(&steps), tell, kernel, deadline);
    let times = times(&steps, &undone.took);
    let lease = reservation.lease.clone();
    let came = settle(kernel, context, reservation, undone, "not all was taken back");
    chronicle::taken_back(context, &lease, why, (began.took(), times), &came);
    came?;
    journal::taken_back(&lease, &began);
    added
}

/// Takes back what was added to the sandbox while it ran. What cannot be keeps no other, nor what the sandbox began with: it is a lease of
/// its own and remembers what is left of it. The first failure is told.
fn release_additions(
    kernel: &mut impl Kernel,
    context: &Context,
    first: &Lease,
    why: &str,
    deadline: Deadline,
) -> Result<(), OperationError> {
    let mut came = Ok(());
    for id in &first.additions {
        let found = context.leases.reserve_existing(&Claim::Id(id.clone()), deadline);
        let released = match found {
            Ok(Some(addition)) if addition.lease.added_to.as_ref() == Some(&first.id) => {
                release(kernel, context, addition, why, deadline)
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        };
        came = came.and(released);
    }
    came
}

/// What is to be undone of a lease by itself. What is shared is not: that it could not be removed as the last lease went
/// does not make this the last one now.
pub(super) fn left_of(lease: &Lease) -> Vec<Step> {
    let mut steps = match &lease.state {
        LeaseState::NeedsCleanup { remaining, .. } => remaining.clone(),
        LeaseState::Reserved | LeaseState::Attached | LeaseState::Releasing => {
            plan::detach(&lease.plan)
        }
    };
    steps.retain(|step| !step.ends_what_is_shared());
    steps
}

/// Records the end of a lease: forgotten when everything was undone, kept with what is left otherwise.
pub(super) fn settle(
    kernel: &mut impl Kernel,
    context: &Context,
    mut reservation: Reservation,
    undone: Undone,
    what: &str,
) -> Result<(), OperationError> {
    let table = context.leases.lock(Deadline::after(PATIENCE))?;
    // Decided and done under the table lock: whoever needs the shared table reserves before making sure of it.
    let mut undone = undone;
    if undone.is_clean() {
        let others = context.leases.others_of(&reservation.lease)?;
        let last = plan::last_one_out(&reservation.lease.plan, others);
        undone = execute::undo(&last, kernel, Deadline::after(PATIENCE));
    }
    if undone.is_clean() {
        return Ok(table.remove(&reservation)?);
    }
    let failures = undone.reasons();
    let tries = match reservation.lease.state {
        LeaseState::NeedsCleanup { tries, .. } => tries.saturating_add(1),
        _ => 1,
    };
    reservation.lease.state = LeaseState::NeedsCleanup {
        remaining: undone.remaining,
        failures: failures.clone(),
        tries,
        tried: now(),
    };
    context.leases.update(&reservation.lease)?;
    Err(OperationError::NeedsCleanup { what: what.to_owned(), failures })
}

/// Whether the namespace of a lease can still be found where it was.
pub(super) fn is_alive(kernel: &mut impl Kernel, lease: &Lease) -> Result<bool, OperationError> {
    Ok(kernel.reopen_sandbox(&lease.netns)?)
}
