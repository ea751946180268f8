//! The part of the command line that gives sandboxes networks and takes them back.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::runtime_arguments::seconds;
use crate::{
    request::NetworkRequest,
    types::{NetnsSource, SandboxId},
};

/// How something is changed, and how the answer is shown.
#[derive(Debug, Args)]
pub struct Changes {
    /// Print the steps with their undos and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `attach`.
#[derive(Debug, Args)]
pub struct Attach {
    /// Where the sandbox is
    #[command(flatten)]
    pub netns: Netns,

    /// A network, and what its interface is called; may be given more than once
    #[arg(long = "network", required = true, value_name = "NAME[@IFNAME]")]
    pub networks: Vec<NetworkRequest>,

    /// The sandbox's id, to detach it by; without one it is netns-COOKIE
    #[arg(long)]
    pub id: Option<SandboxId>,

    /// Give it this one network more, beside what it has already
    #[arg(long, conflicts_with = "id")]
    pub add: bool,

    /// Do without the service path
    #[arg(long)]
    pub no_service_path: bool,

    /// Give up and put everything back after this many seconds
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,

    /// How it is done and shown
    #[command(flatten)]
    pub changes: Changes,
}

/// Arguments of `detach`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "which", args = ["id", "netns", "pid"])]
pub struct Detach {
    /// The sandbox's id
    #[arg(long)]
    pub id: Option<SandboxId>,

    /// The sandbox's network namespace
    #[arg(long, value_name = "PATH")]
    netns: Option<PathBuf>,

    /// A process in that namespace
    #[arg(long)]
    pid: Option<u32>,

    /// Take back this one network, which was added to it, and nothing else
    #[arg(long, value_name = "NAME[@IFNAME]")]
    pub network: Option<NetworkRequest>,

    /// Wait for devices to come back for this many seconds
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,

    /// How it is done and shown
    #[command(flatten)]
    pub changes: Changes,
}

impl Detach {
    /// The namespace, where that was given.
    pub fn netns(&self) -> Option<NetnsSource> {
        source(self.netns.as_ref(), self.pid)
    }
}

/// A network namespace, given in one of two ways.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Netns {
    /// The sandbox's network namespace, such as /run/netns/blue
    #[arg(long = "netns", value_name = "PATH")]
    path: Option<PathBuf>,

    /// A process in the sandbox's network namespace
    #[arg(long)]
    pid: Option<u32>,
}

impl Netns {
    /// What was given. `None` cannot be typed.
    pub fn source(&self) -> Option<NetnsSource> {
        source(self.path.as_ref(), self.pid)
    }
}

fn source(path: Option<&PathBuf>, pid: Option<u32>) -> Option<NetnsSource> {
    path.cloned().map(NetnsSource::Path).or(pid.map(NetnsSource::Pid))
}
