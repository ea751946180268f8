//! What was changed on a machine, as it is written down before it is done, and what takes it back. Reads and writes nothing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    Version,
    change::{Change, take_out},
    edit::{EditError, Left},
};

/// The version of the record's own format.
const FORMAT: u32 = 1;

/// All that was changed for one runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    /// How many of the changes were done and proven; where there are more, a process died, or is at it.
    pub proven: usize,
    /// The runtime's version then.
    pub version: String,
    /// The files, in the order in which they are changed.
    pub changes: Vec<Change>,
    /// Directories that are made for them, the outermost first.
    pub directories: Vec<PathBuf>,
    /// What makes a change count.
    pub restart: Vec<String>,
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}

/// How one file is put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// It is as it was before.
    Nothing,
    /// It is as we left it: all bytes of before, or none where there was no file.
    Restore(Option<String>),
    /// Somebody changed it since: what is ours is taken out of it.
    TakeOut {
        /// What it says now.
        found: String,
        /// What it says then; `None` where nothing is left.
        then: Option<String>,
        /// What stays, since it is not as we wrote it.
        left: Vec<Left>,
    },
}

impl Record {
    /// Before anything is done.
    pub fn new() -> Self {
        Self {
            format: FORMAT,
            proven: 0,
            version: String::new(),
            changes: Vec::new(),
            directories: Vec::new(),
            restart: Vec::new(),
        }
    }

    /// The same with more changes, which are not done yet. What was changed twice is taken back twice.
    pub fn extend(
        &mut self,
        version: Option<Version>,
        changes: &[Change],
        directories: Vec<PathBuf>,
        restart: &[String],
    ) {
        self.version = version.map_or_else(String::new, |version| version.to_string());
        self.changes.extend_from_slice(changes);
        self.directories.extend(directories);
        self.restart = restart.to_vec();
    }

    /// Whether all of it was done.
    pub fn is_whole(&self) -> bool {
        self.proven == self.changes.len()
    }

    /// Reads one; an error says why it cannot be used.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if record.format != FORMAT {
            return Err(format!("it has format {}, and this vfhook knows {FORMAT}", record.format));
        }
        if record.proven > record.changes.len() {
            return Err("it tells of more changes than it has".to_owned());
        }
        Ok(record)
    }
}

/// What puts the file of `change` back, which says `found` now; `None` is no file.
pub fn undo_of(change: &Change, found: Option<&str>) -> Result<Undo, EditError> {
    match found {
        _ if found == change.before.as_deref() => Ok(Undo::Nothing),
        Some(found) if found == change.after => Ok(Undo::Restore(change.before.clone())),
        // Whoever removed it removed what is ours.
        None => Ok(Undo::Nothing),
        Some(found) => {
            let (then, left) = take_out(change, found)?;
            Ok(Undo::TakeOut { found: found.to_owned(), then, left })
        }
    }
}
