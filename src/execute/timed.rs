//! One step, and how long it took, for the log. Where a test lets the process die.

use std::time::Instant;

use crate::{
    kill_point,
    plan::{sentence, step::Step},
};

/// Runs `work` and logs how long the step took, whatever came of it.
pub(super) fn timed<T>(verb: &str, step: &Step, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = kill_point::around(|| sentence(step), work);
    tracing::debug!(us = began.elapsed().as_micros(), "{verb}: {}", sentence(step));
    done
}
