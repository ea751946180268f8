//! Sandboxes that have what they asked for and do nothing: the leases that are there while something else is measured.

use std::{path::Path, thread, time::Duration};

use vfhook::{
    operation::{self, Context, Which},
    request::{NetworkRequest, SandboxEvent},
    types::{Deadline, Origin, SandboxId},
};

use crate::netns_support::{host::Host, sandbox::Sandbox};

/// How many threads detach.
const DETACHERS: usize = 16;

/// So many leases of one network, each with a service path.
pub(crate) struct Held<'a> {
    host: &'a Host,
    context: Context,
    network: &'a str,
    pub(crate) sandboxes: Vec<Sandbox>,
}

impl<'a> Held<'a> {
    /// None yet; the host has its configuration.
    pub(crate) fn none(host: &'a Host, network: &'a str) -> Self {
        Self { host, context: host.context(), network, sandboxes: Vec::new() }
    }

    /// Attaches or detaches until there are `count`.
    pub(crate) fn become_many(&mut self, count: usize) {
        while self.sandboxes.len() < count {
            self.add();
        }
        if self.sandboxes.len() > count {
            self.keep(count);
            settle(self.host);
        }
    }

    fn add(&mut self) {
        let sandbox = Sandbox::nameless().quiet();
        let event = SandboxEvent {
            origin: Origin::Command,
            id: self.id(self.sandboxes.len()),
            netns: sandbox.source(),
            pod: None,
            namespace: None,
            networks: vec![NetworkRequest::plain(self.network.parse().unwrap())],
            service_path_off: false,
            primary: None,
            wording: None,
            more_to_come: false,
            outside: None,
        };
        operation::attach(&mut self.host.kernel(), &self.context, &event, in_time())
            .unwrap_or_else(|error| panic!("{error}: {error:?}"));
        self.sandboxes.push(sandbox);
    }

    /// Detaches the others, many at once: most of it is waiting for the kernel.
    fn keep(&mut self, count: usize) {
        let end = self.sandboxes.len();
        let ids: Vec<SandboxId> = (count..end).map(|number| self.id(number)).collect();
        let (host, context) = (self.host, &self.context);
        thread::scope(|scope| {
            for some in ids.chunks(ids.len().div_ceil(DETACHERS)) {
                scope.spawn(move || some.iter().for_each(|id| detach(host, context, id)));
            }
        });
        self.sandboxes.truncate(count);
    }

    fn id(&self, number: usize) -> SandboxId {
        format!("{}-{number}", self.network).parse().unwrap()
    }
}

fn detach(host: &Host, context: &Context, id: &SandboxId) {
    operation::detach(&mut host.kernel(), context, &Which::Id(id.clone()), in_time())
        .unwrap_or_else(|error| panic!("{error}: {error:?}"));
}

pub(crate) fn in_time() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// Waits until the kernel has taken apart the namespaces that died. It does so in the order of their death, so it is done when one
/// that dies last is gone, which the other end of its pair shows.
fn settle(host: &Host) {
    let last = Sandbox::nameless();
    let words = format!("link add last0 type veth peer name last1 netns {}", last.as_str());
    host.ip(&[&words]);
    drop(last);
    while Path::new("/sys/class/net/last0").exists() {
        thread::sleep(Duration::from_millis(5));
    }
}
