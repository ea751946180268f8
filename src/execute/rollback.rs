//! Undo steps, one after the other, to the end whatever happens.

use std::time::Duration;

use super::timed::timed;
use crate::{
    kernel::{Kernel, KernelError},
    plan::{sentence, step::Step},
    types::{Deadline, with_causes},
};

/// What is left after undoing.
#[derive(Debug, Default)]
pub struct Undone {
    /// The steps that must be tried again, in this order.
    pub remaining: Vec<Step>,
    /// What failed and why, step by step; also what is given up.
    pub failures: Vec<(String, KernelError)>,
    /// How long each of the steps took, in their order.
    pub took: Vec<Duration>,
}

impl Undone {
    /// Whether nothing is left.
    pub fn is_clean(&self) -> bool {
        self.remaining.is_empty()
    }

    /// Whether every step was done.
    pub fn is_whole(&self) -> bool {
        self.failures.is_empty()
    }

    /// What failed and why, a line a step.
    pub fn reasons(&self) -> Vec<String> {
        let line =
            |(step, error): &(String, KernelError)| format!("{step}: {}", with_causes(error));
        self.failures.iter().map(line).collect()
    }
}

/// Does all of `steps` and collects what failed. What would be undone on a link, on a device or in a namespace that is gone is
/// undone; where nothing else is left, what is the sandbox's own is given up.
pub fn undo(steps: &[Step], kernel: &mut impl Kernel, deadline: Deadline) -> Undone {
    undo_telling(steps, steps.len(), || {}, kernel, deadline)
}

/// The same; calls `tell` once the first `urgent` steps are done, if all of them are.
pub fn undo_telling(
    steps: &[Step],
    urgent: usize,
    tell: impl FnOnce(),
    kernel: &mut impl Kernel,
    deadline: Deadline,
) -> Undone {
    let mut undone = Undone::default();
    let mut tell = Some(tell);
    for (position, step) in steps.iter().enumerate() {
        if position == urgent && undone.is_whole() {
            tell.take().into_iter().for_each(|tell| tell());
        }
        let (done, took) = timed("undid", step, || kernel.apply(step, deadline));
        undone.took.push(took);
        match done {
            Ok(())
            | Err(
                KernelError::SandboxGone
                | KernelError::LinkGone { .. }
                | KernelError::DeviceGone(_),
            ) => {}
            Err(error) => {
                tracing::warn!(step = sentence(step), error = %with_causes(&error), "undo failed");
                undone.remaining.push(step.clone());
                undone.failures.push((sentence(step), error));
            }
        }
    }
    if undone.remaining.iter().all(Step::is_sandboxs_own) {
        undone.remaining.clear();
    }
    undone
}
