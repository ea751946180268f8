//! The library called as a daemon would: everything is opened anew for each operation, no process is started.

use std::time::Duration;

use vfhook::{
    operation::{self, Context, Which},
    request::{NetworkRequest, SandboxEvent},
    types::Deadline,
};

use crate::{
    Contender,
    netns_support::{host::Host, sandbox::Sandbox},
};

pub(crate) struct InProcess<'a> {
    host: &'a Host,
    context: Context,
    sandbox: Sandbox,
    event: SandboxEvent,
    messages: u64,
}

impl<'a> InProcess<'a> {
    pub(crate) fn new(host: &'a Host) -> Self {
        let sandbox = Sandbox::nameless();
        let event = SandboxEvent {
            origin: vfhook::types::Origin::Command,
            id: "in-process".parse().unwrap(),
            netns: sandbox.source(),
            pod: None,
            namespace: None,
            networks: vec![NetworkRequest::plain("storage".parse().unwrap())],
            service_path_off: false,
            primary: None,
        };
        Self { host, context: host.context(), sandbox, event, messages: 0 }
    }
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

impl Contender for InProcess<'_> {
    fn name(&self) -> String {
        format!("in process ({} messages)", self.messages)
    }

    fn attach(&mut self) {
        let mut kernel = self.host.kernel();
        let report = operation::attach(&mut kernel, &self.context, &self.event, deadline());
        self.messages = report.expect("attach").netlink_messages;
    }

    fn detach(&mut self) {
        let which = Which::Id(self.event.id.clone());
        operation::detach(&mut self.host.kernel(), &self.context, &which, deadline())
            .expect("detach");
    }

    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}
