//! Why a scenario failed, told so that the reader needs no second run. It must not print.

use std::path::PathBuf;

/// What went otherwise than the scenario says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A command did not end as it must.
    #[error("`{command}` ended with {ended}, {wanted}\n{said}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        ended: String,
        /// How it should have.
        wanted: String,
        /// What it wrote.
        said: String,
    },
    /// A program could not be started.
    #[error("cannot start `{command}`: {source}")]
    Start {
        /// The command line.
        command: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A runtime said no to what was asked of it over gRPC.
    #[error("{method} was refused with gRPC status {code}: {said}")]
    Refused {
        /// What was asked.
        method: String,
        /// The status.
        code: u32,
        /// Its words.
        said: String,
    },
    /// Something that must hold does not.
    #[error("{what}\nseen: {seen}")]
    Unmet {
        /// What must hold.
        what: String,
        /// What was there instead.
        seen: String,
    },
    /// Something did not come about in time.
    #[error("{what} did not come about in {seconds} s; the last try: {last}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// How the last try failed.
        last: String,
    },
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
}

impl Failure {
    /// Makes the closure that `map_err` wants for a file operation.
    pub(crate) fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }

    /// Something that must hold and does not.
    pub(crate) fn unmet(what: impl Into<String>, seen: impl std::fmt::Display) -> Self {
        Self::Unmet { what: what.into(), seen: seen.to_string() }
    }
}
