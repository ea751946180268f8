//! The floor: the fewest netlink messages that lead to the end state, each sent by hand and acknowledged, nothing else. What an
//! attachment does beside the end state (looking before it acts, the record, the announcement) is not in it, nor is the nft table:
//! beside it stands the floor with those promises, each kept as cheaply as one can by hand.

use std::{fs::File, os::fd::AsRawFd as _};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use nix::sched::{CloneFlags, setns};

use crate::{
    contender::{Contender, Worker},
    device::Device,
    line::Line,
    messages::{Which, deletion, network, path_inside, path_outside, veth},
    netns_support::sandbox::Sandbox,
    promises::Promises,
};

pub(crate) struct Floor {
    sandbox: Sandbox,
    which: Which,
    device: Device,
    promises: Option<Promises>,
    messages: [u64; 2],
}

impl Floor {
    pub(crate) fn new(which: Which, device: Device, promises: Option<Promises>) -> Self {
        Self { sandbox: Sandbox::nameless(), which, device, promises, messages: [0; 2] }
    }

    fn pair(&self, namespace: &File) -> (netlink_packet_route::RouteNetlinkMessage, u16) {
        (veth(self.which, namespace.as_raw_fd()), NLM_F_CREATE | NLM_F_EXCL)
    }

    fn attach_alone(&self, namespace: &File) -> u64 {
        let host = Line::open();
        let inside = within(namespace, Line::open);
        host.say(vec![self.pair(namespace)])
            + inside.say(path_inside(self.which))
            + host.say(path_outside(self.which))
            + host.say(vec![self.device.given_to(namespace.as_raw_fd())])
            + inside.say(network(self.device.index()))
    }

    fn attach_as_promised(&self, promises: &Promises, namespace: &File) -> u64 {
        let host = Line::open();
        let (inside, speaker) = within(namespace, || (Line::open(), Promises::speaker()));
        let before = promises.before(&self.device, &host, &inside, namespace);
        let links = vec![self.pair(namespace), self.device.given_to(namespace.as_raw_fd())];
        let made = host.say(links);
        promises.set_switches_on_host();
        within(namespace, || promises.set_switches_inside());
        before
            + made
            + inside.say(path_inside(self.which))
            + host.say(path_outside(self.which))
            + inside.say(network(self.device.index()))
            + promises.after(&self.device, &inside, &speaker)
    }
}

impl Contender for Floor {
    fn name(&self) -> &'static str {
        if self.promises.is_some() { "floor + promises" } else { "floor" }
    }

    fn attach(&mut self) {
        let namespace = File::open(&self.sandbox.path).expect("our own namespace");
        self.messages[0] = match &self.promises {
            None => self.attach_alone(&namespace),
            Some(promises) => self.attach_as_promised(promises, &namespace),
        };
    }

    fn detach(&mut self) {
        let namespace = File::open(&self.sandbox.path).expect("our own namespace");
        let host = own();
        let inside = within(&namespace, Line::open);
        if let Some(promises) = &self.promises {
            promises.before_the_end(&inside, &namespace);
        }
        let device = self.device.taken_back_to(host.as_raw_fd());
        self.messages[1] =
            inside.say(vec![device]) + Line::open().say(vec![deletion(self.which.host_end())]);
        if let Some(promises) = &self.promises {
            promises.after_the_end();
        }
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

/// The calling thread's own namespace.
fn own() -> File {
    File::open("/proc/thread-self/ns/net").expect("our own namespace")
}

/// Runs `work` in a namespace, on this thread: there and back costs less than another thread.
fn within<T>(namespace: &File, work: impl FnOnce() -> T) -> T {
    let own = own();
    setns(namespace, CloneFlags::CLONE_NEWNET).expect("enter a namespace of ours");
    let done = work();
    setns(&own, CloneFlags::CLONE_NEWNET).expect("come back");
    done
}
