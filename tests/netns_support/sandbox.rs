//! A network namespace that plays a container's, and what is in it.

use std::{fs::File, os::fd::AsRawFd, panic, path::PathBuf, process, thread};

use nix::sched::{CloneFlags, setns, unshare};
use serde_json::Value;
use vfhook::types::NetnsSource;

use super::{
    command::{Running, run},
    host::write_sysctl,
};

/// A namespace with a path.
pub(crate) struct Sandbox {
    pub(crate) path: PathBuf,
    /// Held for a namespace that has no name: its path leads through this descriptor.
    _held: Option<File>,
}

impl Sandbox {
    /// The namespace that is mounted at `path`.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, _held: None }
    }

    /// A new namespace without a name, made without starting a program; gone when dropped.
    pub(crate) fn nameless() -> Self {
        let made = thread::scope(|scope| {
            let maker = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).expect("make a network namespace");
                File::open("/proc/thread-self/ns/net").expect("open our own namespace")
            });
            maker.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        });
        let path = format!("/proc/{}/fd/{}", process::id(), made.as_raw_fd());
        Self { path: path.into(), _held: Some(made) }
    }

    /// Its path as an argument.
    pub(crate) fn as_str(&self) -> &str {
        self.path.to_str().expect("paths of tests are ASCII")
    }

    /// The name that `ip netns` knows it by.
    pub(crate) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).expect("it has a name")
    }

    /// Lets the kernel ask for no routers over links that appear in it, so that no neighbour learns of them.
    pub(crate) fn quiet(self) -> Self {
        self.inside(|| write_sysctl("ipv6/conf/default/router_solicitations", "0"));
        self
    }

    pub(crate) fn source(&self) -> NetnsSource {
        NetnsSource::Path(self.path.clone())
    }

    /// Runs `work` on a thread inside; programs that it starts are inside too.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(&self.path)
            .unwrap_or_else(|error| panic!("open {}: {error}", self.path.display()));
        thread::scope(|scope| {
            let worker = scope.spawn(move || {
                setns(namespace, CloneFlags::CLONE_NEWNET).expect("enter a namespace of ours");
                work()
            });
            worker.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        })
    }

    /// Runs `ip` with these words inside.
    pub(crate) fn ip(&self, words: &str) -> String {
        let words: Vec<&str> = words.split(' ').collect();
        self.inside(|| run("ip", &words).ok())
    }

    /// What `ip -j` says inside.
    pub(crate) fn json(&self, words: &str) -> Value {
        let words: Vec<&str> = ["-j", "-d"].into_iter().chain(words.split(' ')).collect();
        self.inside(|| run("ip", &words).json())
    }

    /// The interface `name`, as `ip -j link` shows it.
    pub(crate) fn link(&self, name: &str) -> Value {
        self.json(&format!("link show dev {name}"))[0].take()
    }

    /// Names of all interfaces but the loopback, in order.
    pub(crate) fn links(&self) -> Vec<String> {
        let links = self.json("link show");
        let all = links.as_array().into_iter().flatten().filter_map(|link| link["ifname"].as_str());
        let mut names: Vec<String> = all.filter(|name| *name != "lo").map(str::to_owned).collect();
        names.sort();
        names
    }

    /// The addresses of `name` that are of global scope, with prefix lengths, in order.
    pub(crate) fn addresses(&self, name: &str) -> Vec<String> {
        let shown = self.json(&format!("address show dev {name} scope global"));
        let all = shown[0]["addr_info"].as_array().into_iter().flatten();
        let text =
            |info: &Value| Some(format!("{}/{}", info["local"].as_str()?, info["prefixlen"]));
        let mut addresses: Vec<String> = all.filter_map(text).collect();
        addresses.sort();
        addresses
    }

    /// The routes to `destination` of both families, one a line, as `ip route` prints them.
    pub(crate) fn routes(&self, destination: &str) -> String {
        let family = if destination.contains(':') { "-6" } else { "-4" };
        self.ip(&format!("{family} route show {destination}"))
    }

    /// What an attachment made of it; nothing in this changes by itself.
    pub(crate) fn shape(&self) -> Vec<String> {
        let mut shape = vec![self.default_route("-4"), self.default_route("-6")];
        for name in self.links() {
            let link = self.link(&name);
            shape.push(format!("{name} {} {}", link["ifindex"], link["address"]));
            shape.extend(self.addresses(&name));
        }
        shape
    }

    /// The default routes of the family `-4` or `-6`.
    pub(crate) fn default_route(&self, family: &str) -> String {
        self.ip(&format!("{family} route show default")).trim().to_owned()
    }

    /// A process that lives in it until it is told otherwise.
    pub(crate) fn process(&self) -> Running {
        self.inside(|| Running::start(process::Command::new("sleep").arg("600"), ""))
    }

    /// Unmounts it as `ip netns delete` does. The kernel takes it apart when nobody holds it any more.
    pub(crate) fn delete(&self) {
        run("ip", &["netns", "delete", self.name()]).ok();
    }
}
