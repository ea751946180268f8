//! Sets a container runtime up for vfhook, and takes just that back: looks at the runtime, has the change planned, records it with its undo,
//! makes it, and has the runtime itself say that nothing else changed. Decides not what is changed.

mod act;
mod cards;
mod look;
mod perform;
mod prove;
mod undo;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::Serialize;

pub use cards::{cards, parents};
pub use perform::perform;
use prove::Prover;
pub use undo::{Undone, preview_undo, undo};

use super::ExitCode;
use crate::{
    config::{Config, Publish, Tool},
    kernel::{Program, is_writable, read_config},
    request::{CNI, NETWORKS, SELECTION},
    setup::{Change, Plan, Record, Refusal, Version, Wanted},
};

/// Where records are when nothing else is said: they outlive the machine's run, as what they tell of does.
pub const RECORDS: &str = "/var/lib/vfhook/setup";

/// A container runtime that can be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// containerd, by NRI.
    Containerd,
    /// CRI-O, by NRI.
    Crio,
    /// podman, by hook files.
    Podman,
    /// docker, by CDI devices.
    Docker,
}

impl Runtime {
    /// All.
    pub const ALL: [Self; 4] = [Self::Containerd, Self::Crio, Self::Podman, Self::Docker];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Crio => "crio",
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    /// The file below `records` that says what was changed for it.
    pub fn record(self, records: &Path) -> PathBuf {
        records.join(format!("{}.json", self.name()))
    }
}

/// What is to be set up, and where it is where that is not to be found out.
#[derive(Debug, Clone)]
pub struct Request {
    /// The runtime.
    pub runtime: Runtime,
    /// Its socket.
    pub socket: Option<PathBuf>,
    /// Its program.
    pub program: Option<PathBuf>,
    /// Its main configuration file.
    pub file: Option<PathBuf>,
    /// The file for a base spec by which a hook guards containerd's containers; `None` for no guard.
    pub base_spec: Option<PathBuf>,
    /// What docker runs in place of its runtime, for requests that say more than a network's name.
    pub wrapper: Option<PathBuf>,
    /// This program.
    pub vfhook: PathBuf,
    /// The configuration, where there is one.
    pub config: Option<Config>,
}

impl Request {
    /// The annotations by which containers ask.
    fn annotations(&self) -> Vec<String> {
        let accepted = self.config.iter().flat_map(|config| config.accept.keys());
        let theirs = accepted.map(|tool| match tool {
            Tool::Genie => CNI.to_owned(),
            Tool::Multus => SELECTION.to_owned(),
        });
        std::iter::once(NETWORKS.to_owned()).chain(theirs).collect()
    }

    fn wanted(&self) -> Wanted {
        let published = |config: &Config| {
            let ways = [Publish::DevicePlugin, Publish::Dra];
            ways.into_iter().any(|way| config.published(way).next().is_some())
        };
        let theirs = self.annotations().into_iter().skip(1);
        Wanted {
            base_spec: self.base_spec.clone(),
            cdi: self.config.as_ref().is_some_and(published),
            // Those that say how, not only what.
            annotations: std::iter::once("vfhook.dev/*".to_owned()).chain(theirs).collect(),
            vfhook: self.vfhook.clone(),
        }
    }
}

/// A change that was planned and not made.
#[derive(Debug)]
pub struct Prepared {
    /// The runtime.
    pub runtime: Runtime,
    /// Its version.
    pub version: Option<Version>,
    /// Its program, and whether it runs.
    pub found: Option<Program>,
    /// What would be done.
    pub plan: Plan,
    prover: Prover,
}

/// Why a runtime is as it was, unless something else is said.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Nothing is changed here by vfhook.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The machine does not let us.
    #[error("{operation} {}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What the runtime says of itself after the change is not what was meant; all was put back.
    #[error(
        "{what}; all is as it was before: `vfhook setup {runtime} --print` shows what to put in place by hand"
    )]
    NotProven {
        /// The runtime.
        runtime: &'static str,
        /// How it differs.
        what: String,
    },
    /// There are several, and none was named.
    #[error("{} listen here: name one with --socket", .0.join(" and "))]
    Several(Vec<String>),
    /// The record cannot be used.
    #[error("the record {} cannot be used: {why}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A file was changed by somebody since, and nobody said that this is fine.
    #[error(
        "{} was changed since: `vfhook setup --undo --dry-run` shows what would be taken out of it, --yes does it; or take it out by hand",
        .0.display()
    )]
    Edited(PathBuf),
    /// The change could not be taken back.
    #[error("{why}; and what was changed could not be put back: `vfhook setup --undo` tries again")]
    Stuck {
        /// What went wrong first.
        why: String,
        /// What is in the way.
        source: Box<SetupError>,
    },
}

impl SetupError {
    fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }

    /// The exit code that tells it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Refused(_) => ExitCode::HostUnfit,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                ExitCode::HostUnfit
            }
            Self::Io { .. } | Self::NotProven { .. } => ExitCode::Failed,
            Self::Several(_) | Self::Record { .. } | Self::Edited(_) => ExitCode::Usage,
            Self::Stuck { .. } => ExitCode::NeedsCleanup,
        }
    }
}

/// Looks at the runtime and plans. Changes nothing.
pub fn prepare(request: &Request) -> Result<Prepared, SetupError> {
    let prepared = match request.runtime {
        Runtime::Containerd => look::containerd(request)?,
        Runtime::Crio => look::crio(request)?,
        Runtime::Podman => look::podman(request)?,
        Runtime::Docker => look::docker(request)?,
    };
    Ok(prepared)
}

/// A change of a file that nobody may write here, such as on a machine whose /etc is an image.
pub fn unwritable(plan: &Plan) -> Option<&Change> {
    plan.changes.iter().find(|change| !is_writable(&change.path))
}

/// What was changed for a runtime, as `path` tells; `None` where nothing was.
pub fn recorded(path: &Path) -> Result<Option<Record>, SetupError> {
    let text = read_config(path).map_err(SetupError::io("read", path))?;
    let parse = |text: String| {
        Record::parse(text.as_bytes())
            .map_err(|why| SetupError::Record { path: path.to_owned(), why })
    };
    text.map(parse).transpose()
}
