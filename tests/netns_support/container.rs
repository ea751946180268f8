//! A container as an OCI runtime shows it to a hook: a process, a bundle with `config.json`, the state on stdin.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use serde_json::{Value, json};

use super::{
    command::{self, Ran, Running},
    host::Host,
    sandbox::Sandbox,
};

/// What a runtime knows of one container.
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) state: Value,
    pub(crate) bundle: PathBuf,
    process: Option<Running>,
}

impl Container {
    /// A container whose network namespace was made for it and lives as long as its process.
    pub(crate) fn with_own_namespace(host: &Host, id: &str) -> Self {
        let process = Running::start(Command::new("unshare").args(["--net", "sleep", "600"]), "");
        let own = fs::read_link("/proc/thread-self/ns/net").expect("our own namespace");
        let path = format!("/proc/{}/ns/net", process.child.id());
        while fs::read_link(&path).is_ok_and(|theirs| theirs == own) {
            std::thread::yield_now();
        }
        Self::new(host, id, Some(process), &json!([{ "type": "network" }, { "type": "mount" }]))
    }

    /// A container that was put into a namespace that is there already.
    pub(crate) fn inside(host: &Host, id: &str, sandbox: &Sandbox) -> Self {
        let network = json!([{ "type": "network", "path": sandbox.as_str() }]);
        Self::new(host, id, Some(sandbox.process()), &network)
    }

    /// A container that shares the host's network.
    pub(crate) fn on_the_host(host: &Host, id: &str) -> Self {
        let process = Running::start(Command::new("sleep").arg("600"), "");
        Self::new(host, id, Some(process), &json!([{ "type": "mount" }]))
    }

    fn new(host: &Host, id: &str, process: Option<Running>, namespaces: &Value) -> Self {
        let bundle = host.directory.join("bundles").join(id);
        fs::create_dir_all(&bundle).expect("make a directory on our own tmpfs");
        let config = json!({ "ociVersion": "1.0.2", "linux": { "namespaces": namespaces } });
        fs::write(bundle.join("config.json"), config.to_string()).expect("write to our own tmpfs");
        let pid = process.as_ref().map_or(0, |process| process.child.id());
        let state = json!({
            "ociVersion": "1.0.2", "id": id, "status": "creating", "pid": pid, "bundle": bundle,
        });
        Self { id: id.to_owned(), state, bundle, process }
    }

    /// Adds an annotation.
    pub(crate) fn annotated(mut self, key: &str, value: &str) -> Self {
        self.state["annotations"][key] = value.into();
        self
    }

    /// Adds annotations.
    pub(crate) fn with_all(self, annotations: &BTreeMap<String, String>) -> Self {
        annotations.iter().fold(self, |container, (key, value)| container.annotated(key, value))
    }

    /// Asks for networks.
    pub(crate) fn asking_for(self, networks: &str) -> Self {
        self.annotated("vfhook.dev/networks", networks)
    }

    /// Its network namespace, as long as its process lives.
    pub(crate) fn sandbox(&self) -> Sandbox {
        Sandbox::at(format!("/proc/{}/ns/net", self.pid()).into())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("the container runs").child.id()
    }

    /// Runs the hook of `stage` as a runtime does.
    pub(crate) fn hook(&self, host: &Host, stage: &str) -> Ran {
        command::finish(&mut host.command(&["hook", stage]), &self.state.to_string())
    }

    /// Runs the hook at the container's end: the process is gone by then.
    pub(crate) fn poststop(&mut self, host: &Host) -> Ran {
        self.kill();
        let mut state = self.state.clone();
        state["status"] = "stopped".into();
        state["pid"] = 0.into();
        command::finish(&mut host.command(&["hook", "poststop"]), &state.to_string())
    }

    /// Ends its process, and with it a namespace of its own.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.child.kill().expect("kill a child of ours");
            process.wait();
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.kill();
    }
}
