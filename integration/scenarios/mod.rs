//! The table of scenarios. A scenario is a file here with one behaviour in it and a row below; the harness compares the whole state of the
//! host before and after each, so no scenario has to.

mod bad_input;
mod by_hand;
mod containerd1_alone;
mod containerd1_churn;
mod containerd1_faults;
mod containerd1_pod;
mod containerd1_restarts;
mod containerd2_alone;
mod containerd2_churn;
mod containerd2_faults;
mod containerd2_pod;
mod containerd2_restarts;
mod containerd_alone;
mod containerd_churn;
mod containerd_faults;
mod containerd_pod;
mod containerd_restarts;
mod containerd_scene;
mod demo;
mod driver_refuses;
mod existing_mode;
mod hooks_at_once;
mod host_access;
mod lab_recipe;
mod lab_self_test;
mod macvlan;
mod message_count;
mod netns_gone;
mod plain_crun;
mod plain_lifecycle;
mod plain_runc;
mod podman_crun;
mod podman_lifecycle;
mod podman_runc;
mod provision;
mod rollback;
mod service_matrix;
mod service_matrix_iptables;
mod service_matrix_ipvs;
mod service_matrix_legacy;
mod service_matrix_nftables;
mod service_path_iptables;
mod service_path_masquerade;
mod strange_baseline;
mod two_networks;
mod vlan_isolation;

use std::time::Duration;

use crate::guest::Guest;
use crate::guest::failure::Failure;

/// The scenario that `cargo lab demo` shows.
pub(crate) const DEMO: &str = "demo";
/// Where the demo leaves its story.
pub(crate) const DEMO_SUMMARY: &str = "summary.txt";

/// What a scenario is made of.
type Part = fn(&mut Guest) -> Result<(), Failure>;

/// One behaviour, and what the harness needs to know to run it.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its name: that of its file.
    pub(crate) name: &'static str,
    /// What it proves, in a line.
    pub(crate) summary: &'static str,
    limit_seconds: u64,
    /// Whether it runs only when it is named: `--all` has no time for it.
    pub(crate) by_name: bool,
    /// How many VFs each card has.
    pub(crate) vfs: [u32; 2],
    /// Lays out what is there before vfhook comes: it is part of both dumps.
    pub(crate) prepare: Part,
    /// The behaviour. When it returns, the host must be as it was when it began.
    pub(crate) run: Part,
}

impl Scenario {
    const fn new(name: &'static str, limit_seconds: u64, summary: &'static str, run: Part) -> Self {
        Self { name, summary, limit_seconds, by_name: false, vfs: [4, 1], prepare: |_| Ok(()), run }
    }

    const fn prepared(mut self, prepare: Part) -> Self {
        self.prepare = prepare;
        self
    }

    const fn by_name(mut self) -> Self {
        self.by_name = true;
        self
    }

    const fn vfs(mut self, first: u32, second: u32) -> Self {
        self.vfs = [first, second];
        self
    }

    /// How long it may take from its first step on.
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(self.limit_seconds)
    }
}

/// The scenario of this name.
pub(crate) fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// Every scenario.
pub(crate) static ALL: &[Scenario] = &[
    Scenario::new(
        "lab_self_test",
        120,
        "the machine is as promised; the comparison sees changes",
        lab_self_test::run,
    )
    .vfs(7, 7),
    Scenario::new(
        "lab_recipe",
        120,
        "the operator's recipe by hand works and can be undone",
        lab_recipe::run,
    )
    .prepared(lab_recipe::prepare),
    Scenario::new(DEMO, 180, "the story that `make demo` tells", demo::run).prepared(demo::prepare),
    Scenario::new(
        "by_hand",
        150,
        "attach and detach on an `ip netns`, IPv4 and IPv6",
        by_hand::run,
    )
    .prepared(by_hand::prepare),
    Scenario::new(
        "vlan_isolation",
        180,
        "a VLAN is reached from inside it and from nowhere else",
        vlan_isolation::run,
    )
    .prepared(vlan_isolation::prepare)
    .vfs(7, 2),
    Scenario::new(
        "podman_crun",
        300,
        "podman over crun: every way a container ends",
        podman_crun::run,
    )
    .prepared(podman_crun::prepare),
    Scenario::new(
        "podman_runc",
        300,
        "podman over runc: every way a container ends",
        podman_runc::run,
    )
    .prepared(podman_runc::prepare),
    Scenario::new("plain_crun", 150, "crun with hooks in config.json", plain_crun::run)
        .prepared(plain_crun::prepare),
    Scenario::new("plain_runc", 150, "runc with hooks in config.json", plain_runc::run)
        .prepared(plain_runc::prepare),
    Scenario::new(
        "containerd1_pod",
        300,
        "containerd 1.7: pods come, are refused and go",
        containerd1_pod::run,
    )
    .prepared(containerd1_pod::prepare),
    Scenario::new(
        "containerd1_restarts",
        300,
        "containerd 1.7: killed while pods run, and vfhook too",
        containerd1_restarts::run,
    )
    .prepared(containerd1_restarts::prepare),
    Scenario::new(
        "containerd2_pod",
        300,
        "containerd 2: pods come, are refused and go",
        containerd2_pod::run,
    )
    .prepared(containerd2_pod::prepare),
    Scenario::new(
        "containerd2_restarts",
        300,
        "containerd 2: killed while pods run, and vfhook too",
        containerd2_restarts::run,
    )
    .prepared(containerd2_restarts::prepare),
    Scenario::new(
        "containerd1_alone",
        200,
        "containerd 1.7 without another plugin: the VF is eth0",
        containerd1_alone::run,
    )
    .prepared(containerd1_alone::prepare),
    Scenario::new(
        "containerd2_alone",
        200,
        "containerd 2 without another plugin: the VF is eth0",
        containerd2_alone::run,
    )
    .prepared(containerd2_alone::prepare),
    Scenario::new(
        "containerd1_faults",
        500,
        "containerd 1.7: attaching is slow, and fails at each step",
        containerd1_faults::run,
    )
    .prepared(containerd1_faults::prepare),
    Scenario::new(
        "containerd1_churn",
        600,
        "containerd 1.7: 30 pods, 7 VFs, 5 minutes, daemons killed",
        containerd1_churn::run,
    )
    .prepared(containerd1_churn::prepare)
    .by_name()
    .vfs(7, 0),
    Scenario::new(
        "containerd2_faults",
        500,
        "containerd 2: attaching is slow, and fails at each step",
        containerd2_faults::run,
    )
    .prepared(containerd2_faults::prepare),
    Scenario::new(
        "containerd2_churn",
        600,
        "containerd 2: 30 pods, 7 VFs, 5 minutes, daemons killed",
        containerd2_churn::run,
    )
    .prepared(containerd2_churn::prepare)
    .vfs(7, 0),
    Scenario::new(
        "two_networks",
        150,
        "two networks and two service families at once",
        two_networks::run,
    )
    .prepared(two_networks::prepare)
    .vfs(5, 2),
    Scenario::new(
        "service_path_iptables",
        180,
        "kube-proxy's iptables rules to node, pod and VF",
        service_path_iptables::run,
    )
    .prepared(service_path_iptables::prepare),
    Scenario::new(
        "service_path_masquerade",
        180,
        "the same when kube-proxy masquerades as well",
        service_path_masquerade::run,
    )
    .prepared(service_path_masquerade::prepare),
    Scenario::new(
        "service_matrix_iptables",
        300,
        "every backend and protocol, iptables mode",
        service_matrix_iptables::run,
    )
    .prepared(service_matrix_iptables::prepare)
    .by_name()
    .vfs(4, 2),
    Scenario::new(
        "service_matrix_legacy",
        300,
        "the same, iptables mode over the legacy tables",
        service_matrix_legacy::run,
    )
    .prepared(service_matrix_legacy::prepare)
    .by_name()
    .vfs(4, 2),
    Scenario::new(
        "service_matrix_nftables",
        300,
        "the same, nftables mode",
        service_matrix_nftables::run,
    )
    .prepared(service_matrix_nftables::prepare)
    .by_name()
    .vfs(4, 2),
    Scenario::new("service_matrix_ipvs", 300, "the same, IPVS mode", service_matrix_ipvs::run)
        .prepared(service_matrix_ipvs::prepare)
        .by_name()
        .vfs(4, 2),
    Scenario::new(
        "existing_mode",
        150,
        "service networks through ptp's eth0, the rest by the VF",
        existing_mode::run,
    )
    .prepared(existing_mode::prepare),
    Scenario::new(
        "host_access",
        150,
        "host and VF reach each other across a VLAN",
        host_access::run,
    )
    .prepared(host_access::prepare),
    Scenario::new("rollback", 150, "a failure at the last step takes all back", rollback::run)
        .prepared(rollback::prepare),
    Scenario::new(
        "strange_baseline",
        150,
        "a strange VF comes back strange in the same way",
        strange_baseline::run,
    )
    .prepared(strange_baseline::prepare),
    Scenario::new("netns_gone", 180, "the namespace is gone before the detach", netns_gone::run)
        .prepared(netns_gone::prepare),
    Scenario::new(
        "bad_input",
        300,
        "bad input: exit code, message, nothing changed",
        bad_input::run,
    )
    .prepared(bad_input::prepare)
    .vfs(2, 0),
    Scenario::new("hooks_at_once", 240, "twenty at once on seven VFs", hooks_at_once::run)
        .prepared(hooks_at_once::prepare)
        .vfs(7, 0),
    Scenario::new("provision", 150, "VFs are made as the configuration says", provision::run)
        .prepared(provision::prepare)
        .vfs(0, 0),
    Scenario::new("macvlan", 150, "the same pipe with a macvlan", macvlan::run)
        .prepared(macvlan::prepare),
    Scenario::new(
        "message_count",
        150,
        "as many netlink messages with seven VFs as with one",
        message_count::run,
    )
    .prepared(message_count::prepare)
    .vfs(7, 1),
    Scenario::new(
        "driver_refuses",
        150,
        "an attribute that igb refuses, and best effort",
        driver_refuses::run,
    )
    .prepared(driver_refuses::prepare)
    .vfs(2, 0),
];

/// A pool of VFs, a network, a service path: what most scenarios begin with.
pub(crate) const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1", "fd00:10::1"]
default_route = true
allow = { namespaces = ["*"] }

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:fe::/112"]
"#;
