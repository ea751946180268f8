//! One value that is ours in somebody's file, and what became of it. Knows no file and no format.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The names that lead to a value.
pub type Key = Vec<String>;

/// A value that is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Where it is.
    pub key: Key,
    /// What was there before.
    pub old: Option<Value>,
    /// What is there now.
    pub new: Value,
}

/// A value that was not taken out, since somebody changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Where it is.
    pub key: Key,
    /// What vfhook wrote there.
    pub ours: Value,
    /// What is there now.
    pub found: Option<Value>,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.join(".");
        match &self.found {
            Some(found) => write!(f, "{key} was {} and is {found} now: it stays", self.ours),
            None => write!(f, "{key} was {} and is gone already", self.ours),
        }
    }
}

/// Why a file's text cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is not what its name says.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// A value stands where a table must be.
    #[error("{} is no table", .0.join("."))]
    NoTable(Key),
}

/// What a text is when values are set in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edited {
    pub(super) text: String,
    pub(super) edits: Vec<Edit>,
    pub(super) tables: Vec<Key>,
}
