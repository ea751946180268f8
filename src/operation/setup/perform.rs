//! Makes a planned change: recorded before, proven after, put back where it is not.

use std::path::{Path, PathBuf};

use super::{
    Prepared, SetupError,
    act::{act, write_record},
    recorded,
    undo::put_back,
};
use crate::{
    kernel::{make_directory, missing_directories, write_config},
    setup::Record,
};

/// Makes the change, with its record at `path`. What an earlier call left half done is to be taken back before, by
/// [`undo`](super::undo()).
pub fn perform(prepared: &Prepared, path: &Path) -> Result<(), SetupError> {
    let plan = &prepared.plan;
    if plan.changes.is_empty() {
        return Ok(());
    }
    let mut record = recorded(path)?.unwrap_or_default();
    let first = record.changes.len();
    let mut directories: Vec<PathBuf> = Vec::new();
    for change in &plan.changes {
        for directory in missing_directories(&change.path) {
            if !directories.contains(&directory) {
                directories.push(directory);
            }
        }
    }
    record.extend(prepared.version, &plan.changes, directories, &plan.restart);
    write_record(path, &record)?;
    let done = change(&record, first).and_then(|()| match prepared.prover.objection(plan) {
        Some(what) => Err(SetupError::NotProven { runtime: prepared.runtime.name(), what }),
        None => Ok(()),
    });
    if let Err(error) = done {
        return match put_back(&mut record, first, path, false) {
            Ok(_) => Err(error),
            Err(source) => {
                Err(SetupError::Stuck { why: error.to_string(), source: Box::new(source) })
            }
        };
    }
    record.proven = record.changes.len();
    write_record(path, &record)
}

fn change(record: &Record, first: usize) -> Result<(), SetupError> {
    for directory in &record.directories {
        act("make", directory, || make_directory(directory, 0o755))?;
    }
    for change in &record.changes[first..] {
        let path = &change.path;
        act("write", path, || write_config(path, &change.after, 0o644))?;
    }
    Ok(())
}
