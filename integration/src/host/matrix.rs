//! Shows the tables that scenarios leave as one document. It must not say anything that no run has seen.

use std::fs;

use super::cache::Cache;
use super::error::LabError;
use crate::matrix::{DATA_FILE, Part, markdown};
use crate::say;
use crate::scenarios;
use crate::verdict::OUT_DIR;

/// Prints the tables of all last runs as one.
pub(crate) fn print(cache: &Cache) -> Result<(), LabError> {
    let mut parts = Vec::new();
    for scenario in scenarios::ALL {
        let path = cache.run_dir(scenario.name).join(OUT_DIR).join(DATA_FILE);
        // Most scenarios leave no table.
        let Ok(text) = fs::read(&path) else { continue };
        let part: Part = serde_json::from_slice(&text).map_err(|error| LabError::Malformed {
            path,
            problem: format!("is no part of the table: {error}"),
        })?;
        parts.push(part);
    }
    if parts.is_empty() {
        return Err(LabError::Unfit {
            what: "no run has left a table".into(),
            remedy: "run `cargo lab run service_matrix` first".into(),
        });
    }
    say::line(markdown(&parts).trim_end());
    Ok(())
}
