//! A network namespace that plays the host, with a mount namespace of its own around it: `/run` and `/sys` are private, and
//! both namespaces die with the thread that a test runs on.

use std::{
    fs, panic,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use nix::sched::{CloneFlags, unshare};
use serde_json::Value;
use vfhook::{config, kernel::LinuxKernel, lease::LeaseStore, operation::Context};

use super::{
    command::{self, Ran, Running, shell},
    config::VETH,
    sandbox::Sandbox,
};

/// The namespace that the calling thread is in, made up as a host.
pub(crate) struct Host {
    /// Where its configuration and its state are.
    pub(crate) directory: PathBuf,
}

/// Runs `body` on a thread whose network namespace is a new host's.
pub(crate) fn on_a_host<T: Send>(body: impl FnOnce(&Host) -> T + Send) -> T {
    let name = thread::current().name().unwrap_or("test").to_owned();
    thread::scope(|scope| {
        let on_host = move || {
            leave_the_machine();
            body(&Host::set_up(Path::new("/run/test")))
        };
        let player = thread::Builder::new().name(name).spawn_scoped(scope, on_host);
        let player = player.unwrap_or_else(|error| panic!("start a thread: {error}"));
        player.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// Unsharing on this thread leaves all others where they were.
fn leave_the_machine() {
    assert!(nix::unistd::geteuid().is_root(), "namespace tests need root");
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
        .unwrap_or_else(|errno| panic!("make a network and a mount namespace: {errno}"));
    shell("mount --make-rprivate /; mount -t tmpfs tmpfs /run; mount -t sysfs sysfs /sys").ok();
}

/// A bpffs and a cgroup2 where systemd has them, for the thread that a test runs on.
pub(crate) fn with_bpf() {
    shell("mount -t bpf bpf /sys/fs/bpf; mount -t cgroup2 cgroup2 /sys/fs/cgroup").ok();
}

impl Host {
    /// Makes the calling thread's namespace a host: forwarding as on a Kubernetes node, and cards to make macvlans on.
    pub(crate) fn set_up(directory: &Path) -> Self {
        fs::create_dir_all(directory).expect("make a directory on our own tmpfs");
        let host = Self { directory: directory.to_owned() };
        // Duplicate address detection would change flags by itself a second after everything else is done.
        for (key, value) in [
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/forwarding", "1"),
        ] {
            write_sysctl(key, value);
        }
        host.plug_in();
        host.configure(VETH);
        host
    }

    /// Gives the host two cards, and the network of the first one a gateway.
    fn plug_in(&self) {
        let wire = self.sandbox(&self.wire_name()).quiet();
        self.ip(&[
            "link set lo up",
            &format!("link add card0 type veth peer name wire0 netns {}", wire.name()),
            &format!("link add card1 type veth peer name wire1 netns {}", wire.name()),
            "link set card0 up",
            "link set card1 up",
        ]);
        for words in [
            "address add 192.168.0.1/24 dev wire0",
            "address add fd00:10::1/64 dev wire0 nodad",
            "link set wire0 up",
            "link set wire1 up",
        ] {
            wire.ip(words);
        }
    }

    /// What is at the other end of the cards' cables.
    pub(crate) fn wire(&self) -> Sandbox {
        Sandbox::at(Path::new("/run/netns").join(self.wire_name()))
    }

    fn wire_name(&self) -> String {
        let own = self.directory.file_name().unwrap_or_default().to_string_lossy();
        format!("wire-{own}")
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.config_file(), text).expect("write to our own tmpfs");
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.directory.join("config.toml")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// Runs `ip` commands one after the other in one process.
    #[expect(clippy::unused_self, reason = "only who has a host is in its namespace")]
    pub(crate) fn ip(&self, commands: &[&str]) {
        let batch = command::finish(Command::new("ip").args(["-batch", "-"]), &commands.join("\n"));
        batch.ok();
    }

    /// The program under test, in this host.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        // On a machine that did not build it, such as the lab's guest, it is elsewhere.
        let elsewhere = std::env::var_os("VFHOOK_PROGRAM");
        let mut command =
            Command::new(elsewhere.unwrap_or_else(|| env!("CARGO_BIN_EXE_vfhook").into()));
        command
            .args(arguments)
            .env("VFHOOK_CONFIG", self.config_file())
            .env("VFHOOK_STATE_DIR", self.state_dir())
            .env_remove("VFHOOK_LOG");
        command
    }

    /// Runs the program under test to its end.
    pub(crate) fn vfhook(&self, arguments: &[&str]) -> Ran {
        command::finish(&mut self.command(arguments), "")
    }

    /// Attaches a network to the sandbox by hand.
    pub(crate) fn attach(&self, sandbox: &Sandbox, network: &str, more: &[&str]) -> Ran {
        let given = ["attach", "--netns", sandbox.as_str(), "--network", network];
        self.vfhook(&[&given[..], more].concat())
    }

    /// Takes back what the sandbox has.
    pub(crate) fn detach(&self, sandbox: &Sandbox) -> Ran {
        self.vfhook(&["detach", "--netns", sandbox.as_str()])
    }

    /// All leases, as `status` shows them.
    pub(crate) fn leases(&self) -> Vec<Value> {
        let status = self.vfhook(&["status", "--json"]).json();
        status["leases"].as_array().cloned().expect("a list of leases")
    }

    /// Starts the program under test.
    pub(crate) fn start(&self, arguments: &[&str], input: &str) -> Running {
        Running::start(&mut self.command(arguments), input)
    }

    /// A new sandbox that `ip netns` knows by `name`.
    pub(crate) fn sandbox(&self, name: &str) -> Sandbox {
        self.ip(&[&format!("netns add {name}")]);
        Sandbox::at(Path::new("/run/netns").join(name))
    }

    /// What the library needs to work in this host.
    pub(crate) fn context(&self) -> Context {
        Context {
            config: config::load(&self.config_file())
                .unwrap_or_else(|error| panic!("{error}: {error:?}")),
            leases: LeaseStore::open(&self.state_dir())
                .unwrap_or_else(|error| panic!("open the state directory: {error}")),
        }
    }

    /// The kernel as seen from this host.
    #[expect(clippy::unused_self, reason = "only who has a host is in its namespace")]
    pub(crate) fn kernel(&self) -> LinuxKernel {
        LinuxKernel::open().unwrap_or_else(|error| panic!("open netlink: {error}"))
    }
}

/// Writes a sysctl below `/proc/sys/net` of the calling thread's namespace.
pub(crate) fn write_sysctl(key: &str, value: &str) {
    let path = format!("/proc/sys/net/{key}");
    fs::write(&path, value).unwrap_or_else(|error| panic!("write {value} to {path}: {error}"));
}
