//! The part of the command line that sets a machine up and tells what is wrong with it.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use crate::operation::setup::{RECORDS, Runtime};

/// Arguments of `setup`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["runtime", "pools", "undo"]).required(true).multiple(true)))]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch by itself")]
pub struct Setup {
    /// The container runtime that is told of vfhook
    #[arg(value_enum, conflicts_with = "pools")]
    pub runtime: Option<Name>,

    /// Write a first configuration that fits this machine's cards
    #[arg(long, conflicts_with = "undo")]
    pub pools: bool,

    /// Show the change as a diff and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Print what would be written and change nothing
    #[arg(long)]
    pub print: bool,

    /// Take back just what was changed; without a runtime, for all
    #[arg(long)]
    pub undo: bool,

    /// With --undo: also take ours out of files that somebody changed since, without asking
    #[arg(long, requires = "undo")]
    pub yes: bool,

    /// With containerd: let a hook guard every container of the node, which then needs it to start
    #[arg(long, requires = "runtime", conflicts_with = "undo")]
    pub base_spec: bool,

    /// With docker: add the runtime vfhook, for requests that say more than a network's name
    #[arg(long = "runtime", requires = "runtime", conflicts_with = "undo")]
    pub wrapper: bool,

    /// The runtime's socket [default: the one where it listens]
    #[arg(long, value_name = "PATH", requires = "runtime")]
    pub socket: Option<PathBuf>,

    /// The runtime's program [default: the one that listens]
    #[arg(long, value_name = "PATH", requires = "runtime", conflicts_with = "socket")]
    pub program: Option<PathBuf>,

    /// The runtime's main configuration file [default: the one that it was started with]
    #[arg(long, value_name = "PATH", requires = "runtime")]
    pub file: Option<PathBuf>,

    /// Keep records of changes here
    #[arg(long, value_name = "DIR", default_value = RECORDS)]
    pub records: PathBuf,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// A runtime as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// containerd, also that of k3s, RKE2 and k0s
    Containerd,
    /// CRI-O
    Crio,
    /// podman, as root
    Podman,
    /// docker
    Docker,
}

impl From<Name> for Runtime {
    fn from(name: Name) -> Self {
        match name {
            Name::Containerd => Self::Containerd,
            Name::Crio => Self::Crio,
            Name::Podman => Self::Podman,
            Name::Docker => Self::Docker,
        }
    }
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Run the cures that take nothing from anybody, asking for each
    #[arg(long)]
    pub fix: bool,

    /// With --fix: ask nobody
    #[arg(long, requires = "fix")]
    pub yes: bool,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}
