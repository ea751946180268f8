//! Why a verb failed, and the exit code that tells it. Shows nothing.

use std::path::PathBuf;

use super::{import::UnreadFile, oci_hook::HookError, runtime::RuntimeError};
use crate::{
    config::ConfigError,
    daemon::ServeError,
    kernel::KernelError,
    lease::LeaseError,
    operation::{CdiError, ExitCode, OperationError, setup::SetupError},
    types::with_causes,
};

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
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(
        "`vfhook {0}` changes files of the machine: run it as root, or look first with --dry-run"
    )]
    NotRoot(&'static str),
    #[error("{} is there already and stays as it is: --print shows what would be written, --config names another file", .0.display())]
    ConfigurationIsThere(PathBuf),
    #[error(
        "there is no terminal to ask on: --yes runs all that `vfhook doctor` offers, and docs/findings.md says which these are"
    )]
    NobodyToAsk,
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

    /// The exit code that tells it.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_)
            | Self::Hook(_)
            | Self::NoCdiNetwork
            | Self::Cdi(CdiError::Foreign(_))
            | Self::Import(_)
            | Self::ConfigurationIsThere(_)
            | Self::NobodyToAsk
            | Self::Serve(ServeError::Config(_)) => ExitCode::Usage,
            Self::Serve(_) | Self::NotRoot(_) => ExitCode::HostUnfit,
            Self::Setup(error) => error.exit_code(),
            Self::Runtime(_) | Self::Cdi(CdiError::Io { .. }) => ExitCode::Failed,
            Self::Operation(error) => error.exit_code(),
        }
    }
}
