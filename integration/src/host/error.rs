//! What can go wrong on the host side, each with what to do. It must not print.

use std::path::PathBuf;

/// An error of the host side: operation, object, cause, remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LabError {
    /// A file operation failed.
    #[error("cannot {operation} {path}: {source}")]
    File {
        /// What was tried, a verb.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("cannot start {program}: {source} (is it installed and on PATH?)")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A program ran and failed.
    #[error(
        "{purpose}: {program} ended with {status}\n{tail}\n(all of it: {log}; mend the cause and run the same command again)"
    )]
    Program {
        /// What it was to do.
        purpose: String,
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The last lines it wrote.
        tail: String,
        /// Where the rest is.
        log: PathBuf,
    },
    /// The machine lacks something the lab does not install itself.
    #[error("{what} ({remedy})")]
    Unfit {
        /// What is missing.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Something the lab reads is not as it must be.
    #[error("{path} {problem} (remove its folder and run again to have it rebuilt)")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No scenario has this name.
    #[error("no scenario is named {name} (`cargo lab list` names them{near})")]
    UnknownScenario {
        /// The name given.
        name: String,
        /// A suggestion, or empty.
        near: String,
    },
    /// There is nothing to print for this scenario.
    #[error("nothing is kept for {name} in {path} (run it first: `cargo lab run {name}`)")]
    NoLogs {
        /// The scenario.
        name: String,
        /// Where its logs would be.
        path: PathBuf,
    },
}

impl LabError {
    /// Makes the closure that `map_err` wants for a file operation.
    pub(crate) fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }
}
