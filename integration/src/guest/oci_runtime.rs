//! Containers by a bare OCI runtime: a bundle whose config.json names vfhook's hooks, as an operator would write it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::VFHOOK;
use super::command::{Invocation, cmd};
use super::failure::Failure;
use super::place::Place;
use super::podman::NETWORKS;

/// A bundle and the runtime that runs it.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    runtime: &'static str,
    folder: PathBuf,
}

impl Bundle {
    /// Makes a bundle for a container that sleeps and asks for this network, as an operator would write it.
    pub(crate) fn create(
        runtime: &'static str,
        name: &str,
        request: &str,
    ) -> Result<Self, Failure> {
        Self::written(runtime, name, |config| {
            config["annotations"] = json!({ NETWORKS: request });
            config["hooks"] = json!({
                "createRuntime": [hook("create-runtime")],
                "poststop": [hook("poststop")],
            });
        })
    }

    /// Makes a bundle for a container that sleeps, with the rest of its `config.json` written by `write`.
    pub(crate) fn written(
        runtime: &'static str,
        name: &str,
        write: impl FnOnce(&mut Value),
    ) -> Result<Self, Failure> {
        let folder = Path::new("/tmp/bundles").join(name);
        let root = folder.join("rootfs/bin");
        for dir in [&root, &folder.join("rootfs/proc"), &folder.join("rootfs/dev")] {
            fs::create_dir_all(dir).map_err(Failure::file("create", dir))?;
        }
        let busybox = root.join("busybox");
        fs::copy("/usr/bin/busybox", &busybox).map_err(Failure::file("copy", &busybox))?;
        fs::set_permissions(&busybox, fs::Permissions::from_mode(0o755))
            .map_err(Failure::file("make executable", &busybox))?;
        let bundle = Self { runtime, folder };
        bundle.write_config(write)?;
        Ok(bundle)
    }

    /// The runtime's own template with the process filled in, and what `write` writes.
    fn write_config(&self, write: impl FnOnce(&mut Value)) -> Result<(), Failure> {
        let path = self.folder.join("config.json");
        let _ = fs::remove_file(&path);
        let folder = self.folder.to_string_lossy();
        // crun's `spec` writes to where it runs; both know `--bundle` for running only.
        cmd("sh -c").arg(format!("cd {folder} && {} spec", self.runtime)).ok()?;
        let text = fs::read(&path).map_err(Failure::file("read", &path))?;
        let mut config: Value = serde_json::from_slice(&text)
            .map_err(|error| Failure::unmet("the runtime's template is JSON", error))?;
        config["process"]["args"] = json!(["/bin/busybox", "sleep", "1000000"]);
        config["process"]["terminal"] = json!(false);
        write(&mut config);
        fs::write(&path, config.to_string()).map_err(Failure::file("write", path))
    }

    /// Starts the container in the background.
    pub(crate) fn run(&self, id: &str) -> Invocation {
        let folder = self.folder.to_string_lossy().into_owned();
        self.cmd("run --detach --bundle").arg(folder).arg(id)
    }

    /// Runs the container to its end.
    pub(crate) fn run_in_front(&self, id: &str) -> Invocation {
        self.cmd("run --bundle").arg(self.folder.to_string_lossy().into_owned()).arg(id)
    }

    /// The runtime with these arguments.
    pub(crate) fn cmd(&self, line: &str) -> Invocation {
        cmd(&format!("{} {line}", self.runtime))
    }

    /// What the runtime shows of a container, to hooks too.
    pub(crate) fn state(&self, id: &str) -> Result<Value, Failure> {
        self.cmd(&format!("state {id}")).ok()?.json()
    }

    /// The network namespace of a running container.
    pub(crate) fn place(&self, id: &str) -> Result<Place, Failure> {
        let state = self.state(id)?;
        state["pid"]
            .as_u64()
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| *pid > 0)
            .map(Place::Process)
            .ok_or_else(|| Failure::unmet(format!("{id} runs"), state))
    }
}

fn hook(stage: &str) -> Value {
    json!({
        "path": VFHOOK,
        "args": ["vfhook", "hook", stage],
        "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
    })
}
