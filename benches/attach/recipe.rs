//! The same by `ip` commands one by one, as a script would have it. Addresses and names are given, nothing is looked up,
//! recorded or made ready to be undone.

use std::process::{Command, Stdio};

use crate::{
    contender::{Contender, Worker},
    netns_support::{host::Host, sandbox::Sandbox},
};

const ATTACH: [&str; 19] = [
    "link add svc9 address 02:00:00:00:09:01 type veth peer name svc0 address 02:00:00:00:09:02 netns recipe",
    "link set svc9 up",
    "-n recipe link set svc0 up alias vfhook:recipe",
    "-n recipe address add 169.254.111.9/32 dev svc0",
    "-n recipe address add fd00:97::ff09/128 dev svc0 nodad",
    "-n recipe neigh add 169.254.1.1 lladdr 02:00:00:00:09:01 dev svc0",
    "-n recipe neigh add fe80::1 lladdr 02:00:00:00:09:01 dev svc0",
    "-n recipe route add 10.96.0.0/12 via 169.254.1.1 dev svc0 src 169.254.111.9 onlink proto 118",
    "-n recipe route add fd00:96::/108 via fe80::1 dev svc0 src fd00:97::ff09 onlink proto 118",
    "neigh add 169.254.111.9 lladdr 02:00:00:00:09:02 dev svc9",
    "neigh add fd00:97::ff09 lladdr 02:00:00:00:09:02 dev svc9",
    "route add 169.254.111.9/32 dev svc9 proto 118",
    "route add fd00:97::ff09/128 dev svc9 proto 118",
    "link add net1 netns recipe link card0 address 02:00:00:00:09:03 mtu 1400 type macvlan mode bridge",
    "-n recipe link set net1 up alias vfhook:recipe",
    "-n recipe address add 192.168.0.251/24 broadcast + dev net1",
    "-n recipe address add fd00:10::251/64 dev net1 nodad",
    "-n recipe route add default via 192.168.0.1 proto 118 scope 118",
    "-n recipe route add default via fd00:10::1 dev net1 proto 118",
];

const DETACH: [&str; 2] = ["-n recipe link delete net1", "link delete svc9"];

pub(crate) struct Recipe {
    sandbox: Sandbox,
}

impl Recipe {
    pub(crate) fn new(host: &Host) -> Self {
        Self { sandbox: host.sandbox("recipe") }
    }
}

fn ip(words: &str) {
    let mut command = Command::new("ip");
    let status = command.args(words.split(' ')).stdin(Stdio::null()).status().expect("start ip");
    assert!(status.success(), "ip {words}: {status}");
}

impl Contender for Recipe {
    fn name(&self) -> &'static str {
        "19 ip commands"
    }

    fn attach(&mut self) {
        ATTACH.into_iter().for_each(ip);
    }

    fn detach(&mut self) {
        DETACH.into_iter().for_each(ip);
    }

    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn worker(&self) -> Worker {
        Worker::Children
    }
}
