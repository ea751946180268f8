//! The story that `make demo` tells: boots the demo scenario and shows what it saw. It must not say anything that the guest has not seen.

use super::cache::Cache;
use super::error::LabError;
use super::lab::Lab;
use super::report;
use super::run;
use crate::say::{self, Progress};
use crate::scenarios::{self, DEMO, DEMO_SUMMARY};
use crate::verdict::OUT_DIR;

/// Runs the demo; true when all that it shows came true.
pub(crate) fn run(cache: &Cache) -> Result<bool, LabError> {
    let lab = Lab::prepare(cache)?;
    let scenario = scenarios::find(DEMO)
        .ok_or_else(|| LabError::UnknownScenario { name: DEMO.into(), near: String::new() })?;
    let progress = Progress::start("a guest with two emulated SR-IOV cards runs the demo");
    let finished = run::scenario(&lab, cache, scenario);
    progress.done();
    if finished.failure.is_some() {
        say::line(&report::ended(&finished));
        return Ok(false);
    }
    let summary = finished.kept.join(OUT_DIR).join(DEMO_SUMMARY);
    let text = std::fs::read_to_string(&summary).map_err(LabError::file("read", &summary))?;
    say::line(text.trim_end());
    Ok(true)
}
