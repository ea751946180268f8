//! Finds, reads and parses the file. The only input of `config`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::Table;

use super::{Config, Problem, Told, Wants, beside, on_one_line, problem::words};
use crate::types::with_causes;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file was read and is wrong.
    #[error("the configuration {} has {}", path.display(), count(problems.len()))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong, in the file's order.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// All of it on one line, for logs.
    pub fn on_one_line(&self) -> String {
        match self {
            Self::Read { .. } => with_causes(self),
            Self::Wrong { problems, .. } => format!("{self}: {}", on_one_line(problems)),
        }
    }
}

fn count(problems: usize) -> String {
    if problems == 1 { "a problem".to_owned() } else { format!("{problems} problems") }
}

/// Reads the configuration at `path`, alone: what it leaves to a cluster is unknown.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    load_beside(path, |_| Told::default())
}

/// Reads the configuration at `path`, and what a cluster says beside it, which is asked for only where the file wants it.
pub fn load_beside(path: &Path, told: impl FnOnce(Wants) -> Told) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse_beside(&text, told)
        .map_err(|problems| ConfigError::Wrong { path: path.to_owned(), problems })
}

/// Makes `text` a configuration, or says everything that is wrong with it.
pub fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    parse_beside(text, |_| Told::default())
}

/// The same with what a cluster says beside it. What is wrong with that has no effect, and is no mistake of the text.
pub fn parse_beside(text: &str, told: impl FnOnce(Wants) -> Told) -> Result<Config, Vec<Problem>> {
    let table: Table =
        text.parse().map_err(|error: toml::de::Error| vec![not_toml(&error, text)])?;
    beside::read(table, told)
}

pub(super) fn not_toml(error: &toml::de::Error, text: &str) -> Problem {
    let line =
        error.span().map(|span| text.get(..span.start).unwrap_or("").matches('\n').count() + 1);
    let field = line.map_or_else(|| "file".to_owned(), |line| format!("line {line}"));
    Problem::new(field, format!("not TOML: {}", words(error.message())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_is_repeated_without_its_line_breaks_and_not_at_length() {
        let long = "x".repeat(4096);
        for text in [
            "[[pool]]\nkind = \"a\\nb\"".to_owned(),
            "\"a\\nb\" = 1".to_owned(),
            format!("[[pool]]\nkind = \"{long}\""),
            format!("{long} = 1"),
        ] {
            for problem in parse(&text).unwrap_err() {
                let said = problem.to_string();
                assert!(!said.contains(char::is_control) && said.len() < 600, "{said:?}");
            }
        }
    }
}
