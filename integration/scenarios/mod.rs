//! The list of scenarios. A scenario is a file here with one behaviour in it, which says how it is run, and a line below; several are one
//! file where only the runtime or a mode differs. The harness compares the whole state of the host before and after each, so no scenario
//! has to.

mod bad_input;
mod bench;
mod bond;
mod by_hand;
mod claims;
mod cluster_inside;
mod cluster_random;
mod cluster_scene;
mod cluster_services;
mod coexistence;
mod comes_back_clean;
mod containerd_alone;
mod containerd_churn;
mod containerd_faults;
mod containerd_newest;
mod containerd_pod;
mod containerd_restarts;
mod containerd_scene;
mod crio;
mod ctr;
mod demo;
mod device_audit;
mod device_plugin;
mod docker;
mod driver_passes;
mod driver_refuses;
mod existing_mode;
mod faults;
mod held;
mod hooks_at_once;
mod host_access;
mod host_device;
mod imported;
mod inside;
mod lab_recipe;
mod lab_self_test;
mod macvlan;
mod message_count;
mod netns_gone;
mod package;
mod plain_lifecycle;
mod plugins;
mod podman_lifecycle;
mod provision;
mod rdma;
mod readme_commands;
mod real_crio;
mod rollback;
#[path = "../../tests/runtime_annotations/mod.rs"]
#[expect(dead_code, reason = "the lab plays CRI-O alone")]
mod runtime_annotations;
mod scenario;
mod service_matrix;
mod service_path_iptables;
mod setup_containerd;
mod strange_baseline;
mod systemd_unit;
mod two_networks;
mod vfio;
mod vfio_bundle;
mod vfio_counted;
mod vfio_pod;
mod vlan_isolation;

pub(crate) use self::bench::BENCH;
pub(crate) use self::cluster_scene::{published, start as start_cluster};
pub(crate) use self::demo::{DEMO, DEMO_SUMMARY};
pub(crate) use self::faults::FAULTS_FULL;
pub(crate) use self::scenario::{Brings, Scenario};

/// The scenario of this name.
pub(crate) fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// Every scenario.
pub(crate) static ALL: &[Scenario] = &[
    lab_self_test::SCENARIO,
    lab_recipe::SCENARIO,
    demo::SCENARIO,
    by_hand::SCENARIO,
    vlan_isolation::SCENARIO,
    podman_lifecycle::CRUN,
    podman_lifecycle::RUNC,
    plain_lifecycle::CRUN,
    plain_lifecycle::RUNC,
    docker::TWENTY_SIX,
    docker::TWENTY_EIGHT,
    setup_containerd::SCENARIO,
    containerd_pod::ONE,
    containerd_restarts::ONE,
    containerd_pod::TWO,
    containerd_restarts::TWO,
    containerd_alone::ONE,
    containerd_alone::TWO,
    containerd_faults::ONE,
    containerd_churn::ONE,
    containerd_faults::TWO,
    containerd_churn::TWO,
    containerd_churn::SHORT,
    containerd_newest::SCENARIO,
    crio::SCENARIO,
    real_crio::CRUN,
    real_crio::RUNC,
    two_networks::SCENARIO,
    service_path_iptables::SCENARIO,
    service_path_iptables::MASQUERADING,
    service_matrix::IPTABLES,
    service_matrix::LEGACY,
    service_matrix::NFTABLES,
    service_matrix::IPVS,
    existing_mode::SCENARIO,
    inside::SCENARIO,
    coexistence::SCENARIO,
    comes_back_clean::SCENARIO,
    device_audit::SCENARIO,
    bond::SCENARIO,
    held::BY_HAND,
    held::networkd::SCENARIO,
    held::network_manager::SCENARIO,
    host_access::SCENARIO,
    host_device::SCENARIO,
    rollback::SCENARIO,
    strange_baseline::SCENARIO,
    systemd_unit::SCENARIO,
    package::SCENARIO,
    netns_gone::SCENARIO,
    bad_input::SCENARIO,
    hooks_at_once::SCENARIO,
    provision::SCENARIO,
    macvlan::SCENARIO,
    vfio::SCENARIO,
    vfio_pod::SCENARIO,
    vfio_bundle::SCENARIO,
    rdma::SCENARIO,
    vfio_counted::SCENARIO,
    message_count::SCENARIO,
    driver_passes::SCENARIO,
    device_plugin::SCENARIO,
    claims::SCENARIO,
    cluster_inside::SCENARIO,
    cluster_random::SHORT,
    cluster_random::FULL,
    cluster_services::MODES,
    cluster_services::ALONE,
    cluster_services::GENIE,
    readme_commands::SCENARIO,
    driver_refuses::SCENARIO,
    faults::SAMPLE,
    faults::FULL,
    bench::SCENARIO,
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
