//! What many measurements of one thing come to.

use std::time::Duration;

use serde::Serialize;

/// Three positions in the sorted list of measurements.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
}

impl Figure {
    /// In milliseconds.
    pub(crate) fn of(times: &[Duration]) -> Self {
        Self::of_numbers(times.iter().map(|time| time.as_secs_f64() * 1000.0))
    }

    pub(crate) fn of_numbers(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |part| quantile(&sorted, part);
        Self { median: at(0.5), p90: at(0.9), p99: at(0.99) }
    }
}

/// The number that this part of all does not exceed; no number of none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a position in a list of a few thousand"
)]
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let position = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(position).copied().unwrap_or(f64::NAN)
}
