//! Runs the attach bench in a guest and hands out what it came to. It must not measure anything itself.

use std::fs;
use std::path::Path;

use super::cache::Cache;
use super::error::LabError;
use super::lab::Lab;
use super::report;
use super::run;
use crate::say::{self, Progress};
use crate::scenarios::{self, BENCH};
use crate::verdict::{BENCH_DIR, OUT_DIR};

/// The document of all figures, in the folder that the bench writes.
const DOCUMENT: &str = "attach-vf.json";

/// Prints tables, or the document; copies that and the pictures to `write`. True when the bench ran.
pub(crate) fn run(cache: &Cache, json: bool, write: Option<&Path>) -> Result<bool, LabError> {
    let lab = Lab::prepare(cache)?.with_bench(cache)?;
    let scenario = scenarios::find(BENCH)
        .ok_or_else(|| LabError::UnknownScenario { name: BENCH.into(), near: String::new() })?;
    let progress = Progress::start("a guest with an emulated SR-IOV card runs the bench");
    let finished = run::scenario(&lab, cache, scenario);
    progress.done();
    if finished.failure.is_some() {
        say::line(&report::ended(&finished));
        return Ok(false);
    }
    let made = finished.kept.join(OUT_DIR).join(BENCH_DIR);
    if let Some(folder) = write {
        copy(&made, folder)?;
    }
    let text = if json {
        let path = made.join(DOCUMENT);
        fs::read_to_string(&path).map_err(LabError::file("read", &path))?
    } else {
        finished.figures().unwrap_or_default()
    };
    say::line(text.trim_end());
    Ok(true)
}

fn copy(from: &Path, to: &Path) -> Result<(), LabError> {
    fs::create_dir_all(to).map_err(LabError::file("create", to))?;
    for entry in fs::read_dir(from).map_err(LabError::file("list", from))? {
        let entry = entry.map_err(LabError::file("list", from))?;
        let path = entry.path();
        fs::copy(&path, to.join(entry.file_name())).map_err(LabError::file("copy", &path))?;
    }
    Ok(())
}
