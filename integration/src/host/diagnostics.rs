//! Prints what is kept of a scenario's last run. It must not change it.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::error::LabError;
use crate::say;

/// Prints the console and every file that the guest wrote, each under its name.
pub(crate) fn print(cache: &Cache, scenario: &str) -> Result<(), LabError> {
    let dir = cache.run_dir(scenario);
    let mut files = Vec::new();
    collect(&dir, &mut files);
    if files.is_empty() {
        return Err(LabError::NoLogs { name: scenario.to_owned(), path: dir });
    }
    for file in &files {
        let content = fs::read(file).map_err(LabError::file("read", file))?;
        say::line(&format!("==== {}", file.strip_prefix(&dir).unwrap_or(file).display()));
        say::line(String::from_utf8_lossy(&content).trim_end());
    }
    say::line(&format!("==== {} files in {}", files.len(), dir.display()));
    Ok(())
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
