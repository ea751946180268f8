//! Takes back what was changed for a runtime, as its record tells. What somebody changed since is taken apart, where that is said to be fine.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    SetupError,
    act::{act, write_record},
    recorded,
};
use crate::{
    kernel::{read_config, remove_empty_directory, withdraw_file, write_config},
    setup::{Left, Record, Refusal, Undo, undo_of},
};

/// One file that was put back, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// The file.
    pub path: PathBuf,
    /// What it said.
    pub found: Option<String>,
    /// What it says then; `None` where there is no file then.
    pub then: Option<String>,
    /// Whether somebody changed it since.
    pub edited: bool,
    /// What stays, since it is not as we wrote it.
    pub left: Vec<Left>,
}

/// What [`undo`] would do: the files that would be changed.
pub fn preview_undo(path: &Path) -> Result<Option<(Record, Vec<Undone>)>, SetupError> {
    let Some(record) = recorded(path)? else { return Ok(None) };
    let undone = planned(&record, 0)?;
    Ok(Some((record, undone)))
}

/// Takes back what the record at `path` tells of, or only what is not proven of it; files that somebody changed only if `edited_too`.
pub fn undo(path: &Path, only_unproven: bool, edited_too: bool) -> Result<Vec<Undone>, SetupError> {
    let Some(mut record) = recorded(path)? else { return Ok(Vec::new()) };
    let first = if only_unproven { record.proven } else { 0 };
    put_back(&mut record, first, path, edited_too)
}

/// Takes back the changes from this one on. The record goes last, so whoever is interrupted begins anew.
pub(super) fn put_back(
    record: &mut Record,
    first: usize,
    path: &Path,
    edited_too: bool,
) -> Result<Vec<Undone>, SetupError> {
    let undone = planned(record, first)?;
    if let Some(edited) = undone.iter().find(|undone| undone.edited).filter(|_| !edited_too) {
        return Err(SetupError::Edited(edited.path.clone()));
    }
    for one in &undone {
        match &one.then {
            Some(text) => act("write", &one.path, || write_config(&one.path, text, 0o644))?,
            None => act("remove", &one.path, || withdraw_file(&one.path))?,
        }
    }
    if first == 0 {
        for directory in record.directories.iter().rev() {
            act("remove", directory, || remove_empty_directory(directory))?;
        }
    }
    record.changes.truncate(first);
    record.proven = record.proven.min(first);
    write_record(path, record)?;
    Ok(undone)
}

/// The files that differ from what they were, each once however often it was changed.
fn planned(record: &Record, first: usize) -> Result<Vec<Undone>, SetupError> {
    let mut undone: Vec<Undone> = Vec::new();
    for change in record.changes[first..].iter().rev() {
        let known = undone.iter().position(|one| one.path == change.path);
        let place = known.unwrap_or(undone.len());
        if known.is_none() {
            let found = read_config(&change.path).map_err(SetupError::io("read", &change.path))?;
            let then = found.clone();
            undone.push(Undone {
                path: change.path.clone(),
                found,
                then,
                edited: false,
                left: Vec::new(),
            });
        }
        let one = &mut undone[place];
        let undo = undo_of(change, one.then.as_deref()).map_err(|error| {
            Refusal::because(format!("{}: {error}; mend it first", change.path.display()))
        })?;
        match undo {
            Undo::Nothing => {}
            Undo::Restore(before) => one.then = before,
            Undo::TakeOut { then, left, .. } => {
                one.edited = true;
                one.then = then;
                one.left.extend(left);
            }
        }
    }
    undone.retain(|one| one.found != one.then || !one.left.is_empty());
    Ok(undone)
}
