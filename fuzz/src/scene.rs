//! What the bodies share: a host in memory, a configuration with tenants, and what must hold of every refusal.

use std::{error::Error, fmt::Debug, str::FromStr, time::Duration};

use tempfile::TempDir;
use vfhook::{
    config,
    kernel::fake::{CardTemplate, Driver, FakeHost, Machine},
    lease::LeaseStore,
    operation::Context,
    types::{Deadline, with_causes},
};

/// The sandbox that there is.
pub(crate) const SANDBOX: &str = "/run/netns/blue";

/// One network for all, one that lets requests choose, one of a team's own; what others wrote is read too.
pub(crate) const CONFIGURATION: &str = r#"version = 1
accept_annotations = ["genie", "multus"]
genie = { sriov = "open", cilium = false }
multus = { "team-a/fast" = "private", "kube-system/fast" = false, legacy = "storage", bridge = false }
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.1-192.168.0.4/24"]
[[network]]
name = "open"
pool = "fast"
interface = "net2"
addresses = ["192.168.1.1-192.168.1.9/24", "fd00:10::1-fd00:10::4/64"]
allow = { namespaces = ["*"], addresses = true, mac = true }
[[network]]
name = "private"
pool = "fast"
interface = "net3"
vlan = { id = 100 }
addresses = ["192.168.2.1-192.168.2.4/24"]
allow = { namespaces = ["team-*"] }
[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.1-169.254.96.3/24"]
"#;

/// What `text` says.
pub(crate) fn parse<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// A host with a card of three VFs and one sandbox.
pub(crate) fn host() -> FakeHost {
    let mut machine = Machine::default();
    machine.host.add_link(&parse("eth0"), [parse("198.51.100.7/24")]);
    machine.host.add_default_route("eth0", parse("198.51.100.1"), 0);
    let template = CardTemplate {
        address: parse("0000:01:00.0"),
        name: parse("ens1f0"),
        vfs: (0..3).map(|index| parse(&format!("0000:01:10.{index}"))).collect(),
        driver: Driver::default(),
    };
    machine.add_card(&template, |_, _, _| {});
    machine.add_sandbox(SANDBOX);
    FakeHost::new(machine)
}

/// The configuration with an empty state directory, in memory where the machine has such a place.
pub(crate) fn context() -> (Context, TempDir) {
    let directory = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    let leases = LeaseStore::open(&directory.path().join("state")).unwrap();
    (Context { config: config::parse(CONFIGURATION).unwrap(), leases }, directory)
}

/// A deadline that no body comes near.
pub(crate) fn in_time() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// A refusal is one line that a terminal and a log can take, and not a copy of what was sent.
pub(crate) fn assert_fit_to_print(error: &dyn Error) {
    assert_line(&with_causes(error));
}

/// The same of a text.
pub(crate) fn assert_line(text: &str) {
    assert!(!text.contains(char::is_control), "control characters in {text:?}");
    assert!(text.len() < 4096, "{} bytes: {text}", text.len());
}
