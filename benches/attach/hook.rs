//! The binary as an OCI runtime calls it: a new process for each end of a container's life.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    contender::{Contender, Worker},
    netns_support::{container::Container, host::Host, sandbox::Sandbox},
};

pub(crate) struct Hook<'a> {
    host: &'a Host,
    container: Container,
    sandbox: Sandbox,
    state: PathBuf,
}

impl<'a> Hook<'a> {
    pub(crate) fn new(host: &'a Host, id: &str) -> Self {
        let sandbox = Sandbox::nameless();
        let container = Container::inside(host, id, &sandbox).asking_for("storage");
        let state = host.directory.join(format!("{id}.json"));
        fs::write(&state, container.state.to_string()).expect("write to our own tmpfs");
        Self { host, container, sandbox, state }
    }

    /// A process that has not begun.
    pub(crate) fn command(&self, stage: &str) -> Command {
        command(self.host, stage, &self.state)
    }

    fn run(&self, stage: &str) {
        let status = self.command(stage).status().expect("start vfhook");
        assert!(status.success(), "hook {stage} of {}: {status}", self.container.id);
    }
}

/// The hook of `stage` with its state on stdin.
pub(crate) fn command(host: &Host, stage: &str, input: &Path) -> Command {
    let mut command = host.command(&["hook", stage]);
    command.stdin(File::open(input).expect("a state was written")).stdout(Stdio::null());
    command
}

impl Contender for Hook<'_> {
    fn name(&self) -> &'static str {
        "hook"
    }

    fn attach(&mut self) {
        self.run("create-runtime");
    }

    fn detach(&mut self) {
        self.run("poststop");
    }

    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn worker(&self) -> Worker {
        Worker::Children
    }
}
