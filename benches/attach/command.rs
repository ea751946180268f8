//! `vfhook attach` and `vfhook detach`, as an operator's script calls them.

use std::process::{self, Stdio};

use crate::{
    contender::{Contender, Worker},
    netns_support::{host::Host, sandbox::Sandbox},
};

pub(crate) struct Command<'a> {
    host: &'a Host,
    sandbox: Sandbox,
}

impl<'a> Command<'a> {
    pub(crate) fn new(host: &'a Host) -> Self {
        Self { host, sandbox: Sandbox::nameless() }
    }

    fn attaching(&self) -> [&str; 7] {
        let netns = self.sandbox.as_str();
        ["attach", "--netns", netns, "--network", "storage", "--id", "command"]
    }

    /// A process that attaches, and has not begun.
    pub(crate) fn attaching_process(&self) -> process::Command {
        self.host.command(&self.attaching())
    }

    /// A process that takes back, and has not begun.
    pub(crate) fn detaching_process(&self) -> process::Command {
        self.host.command(&["detach", "--id", "command"])
    }
}

/// Runs a program to its end; what it says is not looked at.
pub(crate) fn run(command: &mut process::Command) {
    let status = command.stdout(Stdio::null()).status().expect("start a program");
    assert!(status.success(), "{command:?}: {status}");
}

impl Contender for Command<'_> {
    fn name(&self) -> &'static str {
        "vfhook attach"
    }

    fn attach(&mut self) {
        run(&mut self.attaching_process());
    }

    fn detach(&mut self) {
        run(&mut self.detaching_process());
    }

    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn messages(&mut self) -> [Option<u64>; 2] {
        let told = self.host.vfhook(&[&self.attaching()[..], &["--json"]].concat()).json();
        self.detach();
        [told["netlink_messages"].as_u64(), None]
    }

    fn worker(&self) -> Worker {
        Worker::Children
    }
}
