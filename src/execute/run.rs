//! Steps in order until done, refused, or out of time.

use std::time::Duration;

use super::{Failure, Outcome, timed::timed, undo};
use crate::{
    kernel::Kernel,
    plan::{Plan, sentence},
    types::Deadline,
};

/// What taking back may wait for at least; it is not held to the deadline that was missed, and has as long as the work had.
const GRACE: Duration = Duration::from_secs(10);

/// Does every step of `plan`, or takes back what was done.
pub fn run(plan: &Plan, kernel: &mut impl Kernel, deadline: Deadline) -> Outcome {
    let allowed = deadline.remaining();
    let mut took = Vec::with_capacity(plan.steps().len());
    for (index, planned) in plan.steps().iter().enumerate() {
        let position = index + 1;
        let failed = if deadline.passed() {
            Some((index, Failure::Deadline { position, steps: plan.steps().len(), allowed }))
        } else {
            let (done, its) = timed("did", &planned.step, || kernel.apply(&planned.step, deadline));
            took.push(its);
            done.err().map(|source| {
                // A refused step may have been done in part, so its own undo is among those that are done.
                (position, Failure::Step { position, sentence: sentence(&planned.step), source })
            })
        };
        if let Some((done, failure)) = failed {
            let undone = undo(&plan.undo_of(done), kernel, Deadline::after(GRACE.max(allowed)));
            return Outcome::Failed { failure, undone };
        }
    }
    Outcome::Applied { took }
}
