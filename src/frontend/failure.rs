//! Why a verb failed, the exit code that tells it, and what to do. Shows nothing.

use std::{error::Error, io, path::PathBuf};

use serde::Serialize;

use super::{import::UnreadFile, oci_hook::HookError, runtime::RuntimeError};
use crate::{
    config::{ConfigError, Problem},
    daemon::ServeError,
    kernel::{KernelError, lacks_rights},
    lease::LeaseError,
    operation::{CdiError, ExitCode, OperationError, setup::SetupError},
    types::{one_line, with_causes},
};

const RIGHTS: &str = "vfhook must be run by the host's root. Containers of a rootless podman or docker cannot be given a VF: \
                     nobody but the host's root may move its devices";
const CONFIGURATION: &str =
    "--config FILE or VFHOOK_CONFIG names another; nri-config/config.toml is an example";

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Operation(#[from] OperationError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Hook(#[from] HookError),
    #[error(transparent)]
    Import(#[from] UnreadFile),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(transparent)]
    Cdi(#[from] CdiError),
    #[error(
        "no network says allow.cdi = true, so there is no device to tell of; let one say so, or take an earlier file away with --remove"
    )]
    NoCdiNetwork,
    #[error("--add gives one network at a time, so that each can be taken back by itself")]
    SeveralAdded,
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(
        "`vfhook {0}` changes files of the machine: run it as root, or look first with --dry-run"
    )]
    NotRoot(&'static str),
    #[error("{} is there already and stays as it is: --print shows what would be written, --config names another file", .0.display())]
    ConfigurationIsThere(PathBuf),
    #[error("read the history in {}", .directory.display())]
    History { directory: PathBuf, source: io::Error },
    #[error(
        "--watch draws on a terminal, and stdin or stdout is none; scripts ask `vfhook status --json` again and again, or read /events of `vfhook serve --http`"
    )]
    NoTerminal,
    #[error("use the terminal")]
    Terminal { source: io::Error },
    #[error(
        "there is no terminal to ask on: --yes runs all that `vfhook doctor` offers, and docs/findings.md says which these are"
    )]
    NobodyToAsk,
}

/// What a script is told of it.
#[derive(Debug, Serialize)]
pub(super) struct Failure<'a> {
    error: String,
    causes: Vec<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    problems: &'a [Problem],
    hint: Option<String>,
    exit_code: i32,
}

impl From<KernelError> for CommandError {
    fn from(error: KernelError) -> Self {
        OperationError::from(error).into()
    }
}

impl From<LeaseError> for CommandError {
    fn from(error: LeaseError) -> Self {
        OperationError::from(error).into()
    }
}

impl CommandError {
    /// All of it on one line, for a log.
    pub(super) fn on_one_line(&self) -> String {
        match self {
            Self::Config(error) | Self::Serve(ServeError::Config(error)) => error.on_one_line(),
            other => with_causes(other),
        }
    }

    /// Its causes, the last one last.
    pub(super) fn causes(&self) -> Vec<String> {
        let causes = std::iter::successors(self.source(), |&cause| cause.source());
        causes.map(|cause| one_line(&cause.to_string()).into_owned()).collect()
    }

    /// Every problem of a configuration that is wrong.
    pub(super) fn problems(&self) -> &[Problem] {
        match self {
            Self::Config(ConfigError::Wrong { problems, .. })
            | Self::Serve(ServeError::Config(ConfigError::Wrong { problems, .. })) => problems,
            _ => &[],
        }
    }

    /// What to do about it, where its words do not say it.
    pub(super) fn hint(&self) -> Option<String> {
        if lacks_rights(self) {
            return Some(RIGHTS.to_owned());
        }
        match self {
            Self::Config(ConfigError::Read { .. }) => Some(CONFIGURATION.to_owned()),
            Self::Operation(error) => error.hint(),
            // These say all in their causes.
            _ => None,
        }
    }

    /// All of it, as data.
    pub(super) fn told(&self) -> Failure<'_> {
        Failure {
            error: self.to_string(),
            causes: self.causes(),
            problems: self.problems(),
            hint: self.hint(),
            exit_code: self.exit_code() as i32,
        }
    }

    /// The exit code that tells it.
    pub(super) fn exit_code(&self) -> ExitCode {
        if lacks_rights(self) {
            return ExitCode::HostUnfit;
        }
        match self {
            Self::Config(_)
            | Self::Hook(_)
            | Self::NoCdiNetwork
            | Self::Cdi(CdiError::Foreign(_))
            | Self::Import(_)
            | Self::ConfigurationIsThere(_)
            | Self::NobodyToAsk
            | Self::NoTerminal
            | Self::SeveralAdded
            | Self::Serve(ServeError::Config(_) | ServeError::TwoPlaces) => ExitCode::Usage,
            Self::Serve(_) | Self::NotRoot(_) => ExitCode::HostUnfit,
            Self::Setup(error) => error.exit_code(),
            Self::Runtime(_)
            | Self::Cdi(CdiError::Io { .. })
            | Self::History { .. }
            | Self::Terminal { .. } => ExitCode::Failed,
            Self::Operation(error) => error.exit_code(),
        }
    }
}
