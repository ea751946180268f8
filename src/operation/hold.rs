//! Whether what a sandbox was given holds, asked of the machine and not of the record; and making it hold again. The one question
//! behind verifying, a second container, `status`, `reconcile` and the daemon's look.

use super::{Finding, Mended, OperationError};
use crate::{
    execute::{self, Outcome},
    kernel::Kernel,
    lease::Lease,
    plan::{self, Mending},
    types::{Deadline, with_causes},
};

/// What is wrong with a lease whose sandbox is open, and what mends it.
pub(super) fn look(kernel: &mut impl Kernel, lease: &Lease) -> Result<Mending, OperationError> {
    Ok(plan::mend(&lease.plan, &kernel.observe_scene(&lease.plan)?))
}

/// Fails unless everything that the lease gave holds.
pub(super) fn require(kernel: &mut impl Kernel, lease: &Lease) -> Result<(), OperationError> {
    let found = look(kernel, lease)?;
    if found.is_whole() { Ok(()) } else { Err(missing(lease, found.what())) }
}

/// Makes everything that the lease gave hold, or says what does not. Whoever calls works on the lease.
pub(super) fn restore(
    kernel: &mut impl Kernel,
    lease: &Lease,
    deadline: Deadline,
) -> Result<(), OperationError> {
    match hold(kernel, lease, false, deadline)? {
        None | Some(Finding { outcome: Mended::Applied, .. }) => Ok(()),
        Some(Finding { what, outcome: Mended::Failed(why), .. }) => {
            Err(missing(lease, format!("{what}; mending it failed: {why}")))
        }
        Some(Finding { what, .. }) => Err(missing(lease, what)),
    }
}

/// Looks at a lease whose sandbox is open and, unless it is only asked, mends it; `None` when all of it holds.
pub(super) fn hold(
    kernel: &mut impl Kernel,
    lease: &Lease,
    dry_run: bool,
    deadline: Deadline,
) -> Result<Option<Finding>, OperationError> {
    let mut found = look(kernel, lease)?;
    if !found.is_whole() && kernel.look_anew() {
        found = look(kernel, lease)?;
    }
    if found.is_whole() && found.switched.is_none() {
        return Ok(None);
    }
    let outcome = if found.steps.steps().is_empty() {
        Mended::LeftAlone
    } else if dry_run {
        Mended::WouldApply
    } else {
        match execute::run(&found.steps, kernel, deadline) {
            Outcome::Applied { .. } if found.lost.is_empty() => Mended::Applied,
            Outcome::Applied { .. } => {
                Mended::Failed(format!("not all can be: {}", found.lost.join("; ")))
            }
            Outcome::Failed { failure, .. } => Mended::Failed(with_causes(&failure)),
        }
    };
    let device = found.device;
    Ok(Some(Finding { device, what: found.what(), outcome, ..Finding::of(lease) }))
}

fn missing(lease: &Lease, why: String) -> OperationError {
    OperationError::Missing { id: lease.id.clone(), why }
}
