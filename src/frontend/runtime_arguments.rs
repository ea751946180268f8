//! The part of the command line that runtimes type, or have typed: hooks, the wrapped runtime, and the file that tells them of devices.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use crate::{
    cdi,
    operation::Promised,
    types::{Name, PciAddress},
};

/// Arguments of `hook`.
#[derive(Debug, Args)]
pub struct Hook {
    /// The point in the container's life at which the runtime calls
    pub stage: Stage,

    /// Give up after this many seconds [default: 10 to attach, 30 to take back]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,

    /// With verify: fail unless the sandbox has this device, whatever its annotations say
    #[arg(long, value_name = "ADDRESS")]
    pub device: Option<PciAddress>,

    /// With verify: the same for a device of this pool, which gives each sandbox one of its own
    #[arg(long, value_name = "POOL", conflicts_with = "device")]
    pub pool: Option<Name>,

    /// With create-runtime: this network was given to the container as a CDI device, whatever its annotations say
    #[arg(long, value_name = "NAME")]
    pub network: Option<Name>,
}

impl Hook {
    /// What was promised to the container.
    pub fn promised(&self) -> Option<Promised> {
        let device = self.device.map(Promised::Device);
        device.or_else(|| self.pool.clone().map(Promised::Of))
    }
}

/// Arguments of `runtime`.
#[derive(Debug, Args)]
pub struct Runtime {
    /// What the runtime is told, behind -- where options of vfhook stand before
    #[arg(last = true, value_name = "WORD")]
    pub words: Vec<OsString>,
}

/// Arguments of `cdi`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch by itself")]
pub struct Cdi {
    /// Write this file
    #[arg(long, default_value = cdi::FILE, value_name = "PATH")]
    pub file: PathBuf,

    /// Print what would be written and write nothing
    #[arg(long, conflicts_with_all = ["remove", "dry_run", "json"])]
    pub print: bool,

    /// Remove the file
    #[arg(long)]
    pub remove: bool,

    /// Say what would be done and do nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// The stages of the OCI runtime specification that vfhook has something to do in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Namespaces exist, the workload does not run yet
    CreateRuntime,
    /// The older name of create-runtime
    Prestart,
    /// The container is deleted
    Poststop,
    /// As create-runtime, but attaches nothing: fails unless the sandbox has what it asks for
    Verify,
    /// podman's own: config.json comes on stdin, and goes to stdout with what must be in it before the container is made
    Precreate,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected a number of seconds from 0.001 to 3600".to_owned()),
    }
}
