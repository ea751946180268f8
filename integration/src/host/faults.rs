//! Shows what killing vfhook everywhere came to in the full run, as a document. It must not say anything that no run has
//! seen.

use std::fs;

use super::cache::Cache;
use super::error::LabError;
use crate::faults::{DATA_FILE, Figures};
use crate::say;
use crate::scenarios::FAULTS_FULL;
use crate::verdict::OUT_DIR;

/// Prints those of the last full run.
pub(crate) fn print(cache: &Cache) -> Result<(), LabError> {
    let path = cache.run_dir(FAULTS_FULL).join(OUT_DIR).join(DATA_FILE);
    let Ok(text) = fs::read(&path) else {
        return Err(LabError::Unfit {
            what: "no full run has left its figures".into(),
            remedy: "cargo lab run faults --full".into(),
        });
    };
    let figures: Figures = serde_json::from_slice(&text).map_err(|error| LabError::Malformed {
        path,
        problem: format!("are no figures: {error}"),
    })?;
    say::line(figures.markdown().trim_end());
    Ok(())
}
