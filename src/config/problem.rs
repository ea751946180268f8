//! One thing that is wrong with a configuration file.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::one_line;

/// Where it is wrong, how, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The path of the field, such as `network[1].vlan.id`.
    pub field: String,
    /// What is wrong there.
    pub message: String,
    /// What to do about it; empty when the message says it all.
    pub fix: String,
}

impl Problem {
    /// A problem whose message says what would be right.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), fix: String::new() }
    }

    /// The same problem with advice.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, " ({})", self.fix) }
    }
}

/// What a parser says of a file, fit for one line: it may repeat any part of the file.
pub(super) fn words(said: &str) -> String {
    const LONGEST: usize = 300;
    one_line(said.trim()).chars().take(LONGEST).collect()
}

/// Problems on one line, for logs and runtimes.
pub fn on_one_line(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
