//! One step, and how long it took. Where a test lets the process die.

use std::time::{Duration, Instant};

use crate::{
    kill_point,
    plan::{sentence, step::Step},
};

/// Runs `work`, and gives and logs how long the step took, whatever came of it.
pub(super) fn timed<T>(verb: &str, step: &Step, work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let done = kill_point::around(|| sentence(step), work);
    let took = began.elapsed();
    tracing::debug!(us = took.as_micros(), "{verb}: {}", sentence(step));
    (done, took)
}
