//! The same by `ip -batch`: one process for what is said on the host, one for what is said in the sandbox, one for the end.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use crate::{
    command::run,
    contender::{Contender, Worker},
    netns_support::sandbox::Sandbox,
    scene::Scene,
};

const PAIR: &str = "\
link add svc7 address 02:00:00:00:07:01 type veth peer name svc0 address 02:00:00:00:07:02 netns batch
link set svc7 up
neigh add 169.254.111.7 lladdr 02:00:00:00:07:02 dev svc7
neigh add fd00:97::ff07 lladdr 02:00:00:00:07:02 dev svc7
route add 169.254.111.7/32 dev svc7 proto 118
route add fd00:97::ff07/128 dev svc7 proto 118
";

const MACVLAN: &str = "\
link add net1 netns batch link card0 address 02:00:00:00:07:03 mtu 1400 type macvlan mode bridge
";

const INSIDE: &str = "\
link set svc0 up alias vfhook:batch
address add 169.254.111.7/32 dev svc0
address add fd00:97::ff07/128 dev svc0 nodad
neigh add 169.254.1.1 lladdr 02:00:00:00:07:01 dev svc0
neigh add fe80::1 lladdr 02:00:00:00:07:01 dev svc0
route add 10.96.0.0/12 via 169.254.1.1 dev svc0 src 169.254.111.7 onlink proto 118
route add fd00:96::/108 via fe80::1 dev svc0 src fd00:97::ff07 onlink proto 118
link set net1 up alias vfhook:batch
address add 192.168.0.249/24 broadcast + dev net1
address add fd00:10::249/64 dev net1 nodad
route add default via 192.168.0.1 proto 118 scope 118
route add default via fd00:10::1 dev net1 proto 118
";

/// The other end of the pair goes with this one.
const END_OF_PAIR: &str = "link delete svc0\n";

pub(crate) struct Batch {
    sandbox: Sandbox,
    directory: PathBuf,
}

impl Batch {
    pub(crate) fn new(scene: &Scene<'_>) -> Self {
        let host = scene.host;
        let (device, end) = match scene.vf(1) {
            None => (MACVLAN.to_owned(), "link delete net1\n".to_owned()),
            Some(vf) => (
                format!("link set {vf} netns batch name net1\n"),
                format!("link set net1 netns 1 name {vf} alias \"\"\n"),
            ),
        };
        let (on_host, end) = (format!("{PAIR}{device}"), format!("{end}{END_OF_PAIR}"));
        let directory = host.directory.join("batch");
        fs::create_dir_all(&directory).expect("make a directory on our own tmpfs");
        for (name, text) in [("host", &*on_host), ("inside", INSIDE), ("end", &*end)] {
            fs::write(directory.join(name), text).expect("write to our own tmpfs");
        }
        Self { sandbox: host.sandbox("batch"), directory }
    }

    fn ip(&self, words: &[&str], input: &str) {
        let lines = File::open(self.directory.join(input)).expect("lines were written");
        run(Command::new("ip").args(words).args(["-batch", "-"]).stdin(lines));
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.sandbox.delete();
    }
}

impl Contender for Batch {
    fn name(&self) -> &'static str {
        "ip -batch"
    }

    fn attach(&mut self) {
        self.ip(&[], "host");
        self.ip(&["-n", "batch"], "inside");
    }

    fn detach(&mut self) {
        self.ip(&["-n", "batch"], "end");
    }

    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn worker(&self) -> Worker {
        Worker::Children
    }
}
