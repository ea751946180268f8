//! Containers by podman, with vfhook's hooks installed where podman looks for them. It must not add anything that an operator would not.

use std::fs;
use std::path::Path;

use super::command::{Invocation, cmd};
use super::failure::Failure;
use super::inspect;
use super::output::Output;
use super::place::Place;
use crate::verdict::{OCI_IMAGE, OCI_IMAGE_NAME, SHARE};

/// Where podman and CRI-O look without being told.
const HOOKS_DIR: &str = "/usr/share/containers/oci/hooks.d";
/// What the project ships for them.
pub(crate) const HOOKS: [&str; 2] = ["vfhook-create-runtime.json", "vfhook-poststop.json"];
/// What asks for a network.
pub(crate) const NETWORKS: &str = "vfhook.dev/networks";

/// Puts the hooks that the project ships where podman and CRI-O look without being told.
pub(crate) fn install_hooks() -> Result<(), Failure> {
    fs::create_dir_all(HOOKS_DIR).map_err(Failure::file("create", HOOKS_DIR))?;
    for name in HOOKS {
        let from = Path::new(SHARE).join("hooks").join(name);
        fs::copy(&from, Path::new(HOOKS_DIR).join(name)).map_err(Failure::file("copy", from))?;
    }
    Ok(())
}

/// Takes them away again.
pub(crate) fn remove_hooks() -> Result<(), Failure> {
    for path in HOOKS.map(|name| Path::new(HOOKS_DIR).join(name)) {
        fs::remove_file(&path).map_err(Failure::file("remove", path))?;
    }
    Ok(())
}

/// podman over one OCI runtime.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Podman {
    runtime: &'static str,
}

impl Podman {
    /// Installs the hooks that the project ships and loads the test image.
    pub(crate) fn prepare(runtime: &'static str) -> Result<Self, Failure> {
        install_hooks()?;
        let podman = Self { runtime };
        podman.cmd(&format!("load -q -i {SHARE}/{OCI_IMAGE}")).ok()?;
        Ok(podman)
    }

    /// The handle, when all is prepared.
    pub(crate) fn over(runtime: &'static str) -> Self {
        Self { runtime }
    }

    /// podman with these arguments.
    pub(crate) fn cmd(self, line: &str) -> Invocation {
        cmd(&format!("podman --runtime {} {line}", self.runtime))
    }

    /// `podman run` of the test image with this request, plus options and the container's own command.
    pub(crate) fn run(self, request: &str, options: &str, command: &str) -> Invocation {
        self.cmd("run --network none --annotation")
            .arg(format!("{NETWORKS}={request}"))
            .arg_words(options)
            .arg(OCI_IMAGE_NAME)
            .arg_words(command)
    }

    /// A container that sleeps.
    pub(crate) fn run_detached(self, name: &str, request: &str) -> Result<Output, Failure> {
        self.run(request, &format!("-d --name {name}"), "").ok()
    }

    /// The network namespace of a running container.
    pub(crate) fn place(self, name: &str) -> Result<Place, Failure> {
        Ok(Place::Process(self.pid(name)?))
    }

    /// The process id of a running container.
    pub(crate) fn pid(self, name: &str) -> Result<u32, Failure> {
        inspect::pid(|line| self.cmd(line), name)
    }

    /// Waits until podman has seen a container end.
    pub(crate) fn exited(self, name: &str) -> Result<(), Failure> {
        inspect::exited(|line| self.cmd(line), name, 30)
    }
}
