//! Where something stands in the files that are read, and what is said of it. Reads nothing.

use std::fmt;

use serde::Serialize;

use crate::types::one_line;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    file: String,
    line: usize,
}

impl Place {
    /// Line `line` of `file`; the first one is 1.
    pub(super) fn new(file: &str, line: usize) -> Self {
        Self { file: one_line(file).into_owned(), line }
    }

    /// Another line of the same file.
    pub(super) fn on_line(&self, line: usize) -> Self {
        Self { file: self.file.clone(), line }
    }

    /// What the file is called, fit to print.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1 on.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Says something of what stands here.
    pub(super) fn remark(&self, what: impl AsRef<str>) -> Remark {
        Remark { place: self.clone(), what: one_line(what.as_ref()).into_owned() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One printable line about something in a file: it was refused, or is not quite the same here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Remark {
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// What there is to say.
    pub what: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
