//! How the execution of a plan ended.

use std::time::Duration;

use crate::{execute::Undone, kernel::KernelError};

/// What became of a plan.
#[derive(Debug)]
pub enum Outcome {
    /// Every step was done.
    Applied {
        /// How long each took, in their order.
        took: Vec<Duration>,
    },
    /// A step failed, and what was done was taken back or could not be.
    Failed {
        /// Why.
        failure: Failure,
        /// What the taking back left.
        undone: Undone,
    },
}

/// Why a plan was not finished.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A step was refused.
    #[error("step {position}, {sentence}")]
    Step {
        /// Which, counted from 1.
        position: usize,
        /// What it was to do.
        sentence: String,
        /// Why it failed.
        #[source]
        source: KernelError,
    },
    /// Time ran out between two steps.
    #[error("out of time before step {position} of {steps} ({} ms were left when they began)", allowed.as_millis())]
    Deadline {
        /// The step that was not begun.
        position: usize,
        /// How many there are.
        steps: usize,
        /// How much time there was.
        allowed: Duration,
    },
}
