//! The library called as a daemon would: everything is opened anew for each operation, no process is started.

use std::time::Duration;

use vfhook::{
    kernel::Kernel as _,
    lease::{Claim, Lease},
    operation::{self, Context, Which},
    request::{NetworkRequest, SandboxEvent},
    types::Deadline,
};

use crate::{
    contender::{Contender, Worker},
    netns_support::{host::Host, sandbox::Sandbox},
};

pub(crate) struct InProcess<'a> {
    host: &'a Host,
    context: Context,
    sandbox: Sandbox,
    event: SandboxEvent,
    messages: [u64; 2],
}

impl<'a> InProcess<'a> {
    pub(crate) fn new(host: &'a Host, id: &str) -> Self {
        let sandbox = Sandbox::nameless();
        let event = SandboxEvent {
            origin: vfhook::types::Origin::Command,
            id: id.parse().unwrap(),
            netns: sandbox.source(),
            pod: None,
            namespace: None,
            networks: vec![NetworkRequest::plain("storage".parse().unwrap())],
            service_path_off: false,
            primary: None,
            wording: None,
            more_to_come: false,
            outside: None,
        };
        Self { host, context: host.context(), sandbox, event, messages: [0; 2] }
    }

    /// The lease of an attachment.
    pub(crate) fn lease(&mut self) -> Lease {
        self.attach();
        let found = self.context.leases.find(&Claim::Id(self.event.id.clone()));
        self.detach();
        found.expect("read a lease").expect("it was attached")
    }
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

impl Contender for InProcess<'_> {
    fn name(&self) -> &'static str {
        "in process"
    }

    fn attach(&mut self) {
        let mut kernel = self.host.kernel();
        let report = operation::attach(&mut kernel, &self.context, &self.event, deadline());
        self.messages[0] = report.expect("attach").netlink_messages;
    }

    fn detach(&mut self) {
        let which = Which::Id(self.event.id.clone());
        let mut kernel = self.host.kernel();
        operation::detach(&mut kernel, &self.context, &which, deadline()).expect("detach");
        self.messages[1] = kernel.messages();
    }

    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn messages(&mut self) -> [Option<u64>; 2] {
        self.messages.map(Some)
    }

    fn worker(&self) -> Worker {
        Worker::Bench
    }
}
