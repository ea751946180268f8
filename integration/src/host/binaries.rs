//! Builds what the guest runs, vfhook and the guest runner, from this checkout. It must not build anything into the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::error::LabError;
use super::tool;
use crate::say::Progress;

/// The plugins that are examples of `containerd-nri`.
const PLUGINS: [&str; 7] = [
    "default_validator",
    "device_injector",
    "event_logger",
    "hook_injector",
    "network_device_injector",
    "template",
    "ulimit_adjuster",
];

/// The programs that come with the share.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    /// The program under test.
    pub(crate) vfhook: PathBuf,
    /// The same, but that it dies where it is told to.
    pub(crate) kill_points: PathBuf,
    /// What tells a cluster of VFs.
    pub(crate) agent: PathBuf,
    /// What writes the manual of vfhook's package.
    pub(crate) manual: PathBuf,
    /// The guest side of the lab.
    pub(crate) guest: PathBuf,
    /// The example plugins of `containerd-nri`.
    pub(crate) plugins: [PathBuf; PLUGINS.len()],
    /// The attach bench, for who asks for it: it takes long to build.
    pub(crate) bench: Option<PathBuf>,
}

impl Binaries {
    /// Builds them. `VFHOOK_LAB_BINARY` names a vfhook to use instead of the checkout's.
    pub(crate) fn build(log: &Path) -> Result<Self, LabError> {
        let workspace = workspace();
        let progress = Progress::start("building vfhook and the guest runner");
        let vfhook = ["--package", "vfhook", "--bin", "vfhook"];
        let given = std::env::var_os("VFHOOK_LAB_BINARY").filter(|path| !path.is_empty());
        let release = Release::of_this_machine(log)?;
        if given.is_none() {
            let mut command = cargo(&workspace);
            release.told(command.arg("build")).arg("--release").args(vfhook);
            tool::run("building with cargo", &mut command, log)?;
        }
        // As `cargo test` builds it all, so that what that has built is not built again; with dev-dependencies, and so kill points.
        let mut command = cargo(&workspace);
        command.args(["build", "--workspace", "--bins", "--examples"]);
        tool::run("building with cargo", &mut command, log)?;
        progress.done();
        let target = target_dir(&workspace);
        let dev = target.join("debug");
        Ok(Self {
            vfhook: given.map_or_else(|| release.folder(&target).join("vfhook"), PathBuf::from),
            kill_points: dev.join("vfhook"),
            agent: dev.join("vfhook-agent"),
            manual: dev.join("vfhook-manual"),
            guest: dev.join("guest"),
            plugins: PLUGINS.map(|name| dev.join("examples").join(name)),
            bench: None,
        })
    }

    /// Builds the attach bench too, as optimised as a release.
    pub(crate) fn with_bench(self, log: &Path) -> Result<Self, LabError> {
        let progress = Progress::start("building the bench");
        let bench = Some(bench(log)?);
        progress.done();
        Ok(Self { bench, ..self })
    }
}

/// Builds the bench; where it is, which only cargo knows.
fn bench(log: &Path) -> Result<PathBuf, LabError> {
    let (workspace, messages) = (workspace(), log.with_extension("json"));
    let what = ["--no-run", "--package", "vfhook", "--bench", "attach", "--message-format=json"];
    let mut command = cargo(&workspace);
    Release::of_this_machine(log)?.told(command.arg("bench")).args(what);
    tool::run_to_file("building the bench with cargo", &mut command, &messages, log)?;
    let told = fs::read_to_string(&messages).map_err(LabError::file("read", &messages))?;
    // Nobody else reads it; that it stays is no failure.
    let _ = fs::remove_file(&messages);
    let lines = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_bench = |line: &Value| line["target"]["kind"][0] == "bench";
    let found = lines.filter(of_bench).find_map(|line| Some(line["executable"].as_str()?.into()));
    found.ok_or_else(|| LabError::Malformed {
        path: messages,
        problem: "names no program that cargo built".into(),
    })
}

/// What `make build` builds: linked statically, and for that a target must be named, since procedural macros cannot be.
struct Release {
    host: String,
}

impl Release {
    fn of_this_machine(log: &Path) -> Result<Self, LabError> {
        let said = log.with_extension("rustc");
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(compiler);
        tool::run_to_file("asking rustc for its host", command.arg("-vV"), &said, log)?;
        let text = fs::read_to_string(&said).map_err(LabError::file("read", &said))?;
        // Nobody else reads it; that it stays is no failure.
        let _ = fs::remove_file(&said);
        let host = text.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.ok_or_else(|| LabError::Malformed {
            path: said,
            problem: "names no host that rustc builds for".into(),
        })?;
        Ok(Self { host: host.to_owned() })
    }

    /// Says so to a cargo that builds.
    fn told<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("RUSTFLAGS", "-C target-feature=+crt-static").args(["--target", &self.host])
    }

    fn folder(&self, target: &Path) -> PathBuf {
        target.join(&self.host).join("release")
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

fn cargo(workspace: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(workspace)
        .env("CARGO_TARGET_DIR", target_dir(workspace))
        .env("CARGO_TERM_COLOR", "never");
    command
}
