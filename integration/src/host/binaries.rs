//! Builds what the guest runs, vfhook and the guest runner, from this checkout. It must not build anything into the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::LabError;
use super::tool;
use crate::say::Progress;

/// The profile of a vfhook that can be made to die, and of all that only tests.
const DEV: &str = "dev";
const EVENT_LOGGER: &str = "event_logger";

/// The programs that come with the share.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    /// The program under test.
    pub(crate) vfhook: PathBuf,
    /// The same, but that it dies where it is told to.
    pub(crate) kill_points: PathBuf,
    /// The guest side of the lab.
    pub(crate) guest: PathBuf,
    /// The example of `containerd-nri`, which logs what a runtime tells its plugins.
    pub(crate) event_logger: PathBuf,
}

impl Binaries {
    /// Builds them. `VFHOOK_LAB_BINARY` names a vfhook to use instead of the checkout's.
    pub(crate) fn build(log: &Path) -> Result<Self, LabError> {
        let workspace = workspace();
        let progress = Progress::start("building vfhook and the guest runner");
        let vfhook = ["--package", "vfhook", "--bin", "vfhook"];
        let given = std::env::var_os("VFHOOK_LAB_BINARY").filter(|path| !path.is_empty());
        if given.is_none() {
            cargo(&workspace, log, "release", &vfhook)?;
        }
        // As `cargo test` builds it all, so that what that has built is not built again; with dev-dependencies, and so kill points.
        cargo(&workspace, log, DEV, &["--workspace", "--bins", "--examples"])?;
        progress.done();
        let target = target_dir(&workspace);
        let dev = target.join("debug");
        Ok(Self {
            vfhook: given.map_or_else(|| target.join("release").join("vfhook"), PathBuf::from),
            kill_points: dev.join("vfhook"),
            guest: dev.join("guest"),
            event_logger: dev.join("examples").join(EVENT_LOGGER),
        })
    }
}

/// The checkout, which `cargo run` names by its environment; the place of compilation serves when the program is started by hand.
pub(crate) fn workspace() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_owned)
}

fn target_dir(workspace: &Path) -> PathBuf {
    let dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace.join(dir)
}

fn cargo(workspace: &Path, log: &Path, profile: &str, what: &[&str]) -> Result<(), LabError> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command
        .current_dir(workspace)
        .env("CARGO_TARGET_DIR", target_dir(workspace))
        .args(["build", "--color=never", "--profile", profile])
        .args(what);
    tool::run("building with cargo", &mut command, log)
}
