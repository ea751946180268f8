//! Makes sure that the programs the lab runs are there, installing what is missing from the distribution. It must not install anything
//! else, and must not go on when it cannot.

use std::path::Path;
use std::process::Command;

use super::error::LabError;
use super::tool;
use crate::say::{self, Progress};

/// A program the lab runs, and the Debian package that has it.
const TOOLS: [(&str, &str); 7] = [
    ("mmdebstrap", "mmdebstrap"),
    ("mke2fs", "e2fsprogs"),
    ("xz", "xz-utils"),
    ("cp", "coreutils"),
    // For a cluster's control plane.
    ("openssl", "openssl"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
];

/// Checks for every tool; installs those that are missing.
pub(crate) fn ensure_tools(log: &Path) -> Result<(), LabError> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::Unfit {
            what: "the lab must be run as root: it makes device nodes and a root file system"
                .into(),
            remedy: "run the same command with sudo or in a root shell".into(),
        });
    }
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(program, _)| !on_path(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !on_path("apt-get") {
        return Err(LabError::Unfit {
            what: format!("these are not installed: {}", missing.join(", ")),
            remedy: "there is no apt-get here: install them by this machine's own means".into(),
        });
    }
    let progress = Progress::start(format!("installing {}", missing.join(", ")));
    if apt_install(&missing, log).is_err() {
        say::note("lab: apt-get install failed; reading the package lists again");
        tool::run("reading the package lists", Command::new("apt-get").arg("update"), log)?;
        apt_install(&missing, log)?;
    }
    progress.done();
    Ok(())
}

fn apt_install(packages: &[&str], log: &Path) -> Result<(), LabError> {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    tool::run("installing what the lab needs", &mut apt, log)
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A root shell made by `su` has no sbin on its PATH, where mke2fs is.
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir| dir.join(program).is_file())
}
