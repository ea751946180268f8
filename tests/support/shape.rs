//! What a sandbox may ask for: one case of each kind of plan, by name.

use vfhook::{
    config::{self, Config},
    inventory::{Link, Setting},
    kernel::fake::{CardTemplate, Driver, Machine},
    request::{self, NetworkRequest},
    types::{AdminMac, KernelText, VfAttribute, VfAttributes, Vlan, VlanProtocol},
};

use super::host::{BLUE, VFS, add_eth0, parse, usual, with_driver};

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Its name.
    pub(crate) name: &'static str,
    networks: &'static str,
    service_path: &'static str,
    services: &'static str,
    annotation: &'static str,
    host: HostKind,
    sandbox: SandboxKind,
}

/// What the host is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostKind {
    /// As the card came up.
    Usual,
    /// The driver knows no link state, and lets nobody assign a MAC.
    Refusing,
    /// An operator set everything otherwise.
    Strange,
    /// Interfaces appear without IPv6.
    WithoutIpv6,
}

/// What is in the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SandboxKind {
    /// Nothing.
    Empty,
    /// An interface with default routes.
    Eth0,
    /// The same, and a route to the service network.
    Eth0WithRoute,
    /// Nothing, and IPv6 is switched off.
    WithoutIpv6,
}

const POOLS: &str = r#"version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
[[pool]]
name = "shared"
kind = "macvlan"
pf = ["lan0"]
"#;

const OWN_POOLS: &str = "version = 1\n";

const PLAIN: &str = r#"
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]
"#;

const DUAL: &str = r#"
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1", "fd00:10::1"]
default_route = true
"#;

const WAYS: &str = r#"
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1", "fd00:10::1"]
default_route = true
source_routing = true
host_access = true
routes = [{ to = "10.20.0.0/16", via = "192.168.0.9" }]
[[network]]
name = "lan"
pool = "shared"
interface = "lan1"
addresses = ["192.168.0.16-192.168.0.250/24"]
gateway = ["192.168.0.2"]
default_route = true
metric = 300
source_routing = true
sysctls = { accept_ra = 1, rp_filter = 1 }
routes = [{ to = "default", via = "192.168.0.2", table = 500 }, { to = "10.21.0.0/16", via = "10.22.0.1", onlink = true, metric = 5 }]
"#;

const SET_UP: &str = r#"
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
mtu = 9000
vlan = { id = 100, qos = 3 }
trust = true
spoof_check = false
max_tx_rate = 1000
addresses = ["192.168.0.16-192.168.0.250/24"]
allow = { namespaces = ["*"], mac = true, addresses = true }
"#;

const FORGIVING: &str = r#"
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
trust = true
link_state = "enable"
best_effort = ["link_state"]
addresses = ["192.168.0.16-192.168.0.250/24"]
"#;

const FORGIVING_MAC: &str = r#"
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
best_effort = ["mac"]
addresses = ["192.168.0.16-192.168.0.250/24"]
allow = { namespaces = ["*"], mac = true, addresses = true }
"#;

const SHARED: &str = r#"
[[network]]
name = "lan"
pool = "shared"
interface = "lan1"
mtu = 1400
addresses = ["10.0.0.16-10.0.0.250/24", "fd00:20::/112"]
"#;

const IPVLAN: &str = r#"
[[pool]]
name = "switched"
kind = "ipvlan"
pf = ["lan0"]
[[network]]
name = "lan"
pool = "switched"
interface = "lan1"
mtu = 1400
addresses = ["10.0.0.16-10.0.0.250/24", "fd00:20::/112"]
[[network]]
name = "second"
pool = "switched"
interface = "lan2"
addresses = ["10.1.0.16-10.1.0.250/24"]
"#;

const VLAN: &str = r#"
[[pool]]
name = "tagged"
kind = "vlan"
pf = ["lan0"]
[[network]]
name = "lan"
pool = "tagged"
interface = "lan1"
mtu = 1400
vlan = { id = 100, qos = 3 }
addresses = ["10.0.0.16-10.0.0.250/24", "fd00:20::/112"]
[[network]]
name = "second"
pool = "tagged"
interface = "lan2"
vlan = { id = 100, protocol = "802.1ad" }
addresses = ["10.1.0.16-10.1.0.250/24"]
"#;

const DRIVEN: &str = r#"
[[pool]]
name = "driven"
kind = "sriov"
pf = ["ens1f0"]
bind = "vfio-pci"
[[network]]
name = "data"
pool = "driven"
interface = "data%d"
vlan = { id = 100, qos = 3 }
trust = true
max_tx_rate = 1000
allow = { mac = true }
"#;

const DRIVEN_MAC: &str = r#"[{"name":"data"},{"name":"data","mac":"02:00:5e:00:53:01"}]"#;

const PASSTHRU: &str = r#"
[[pool]]
name = "whole"
kind = "macvlan"
mode = "passthru"
pf = ["lan0"]
[[network]]
name = "lan"
pool = "whole"
interface = "lan1"
addresses = ["10.0.0.16-10.0.0.250/24"]
"#;

const WHOLE: &str = r#"
[[pool]]
name = "cloud"
kind = "host-device"
interface = ["ens6"]
[[network]]
name = "eni"
pool = "cloud"
interface = "net1"
mtu = 1400
addresses = ["10.7.0.5-10.7.0.9/24"]
gateway = ["10.7.0.1"]
default_route = true
"#;

/// `IFF_NOARP`.
const NO_ARP: u32 = 0x80;

const NO_SERVICE: &str = "";

const VETH: &str = r#"
[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12", "10.112.0.0/16", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:97::/112"]
"#;

/// The second card, on which the other link of a bond is.
const OTHER_CARD: &str = "0000:02:00.0";

const BOND: &str = r#"
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
[[pool]]
name = "other"
kind = "sriov"
pf = ["ens2f0"]
[[pool]]
name = "both"
kind = "bond"
members = ["fast", "other"]
[[network]]
name = "ha"
pool = "both"
interface = "net1"
mtu = 1400
vlan = { id = 100 }
addresses = ["192.168.0.0/24", "fd00:10::/64"]
gateway = ["192.168.0.1"]
default_route = true
"#;

const EXISTING: &str = r#"
[service_path]
mode = "existing"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "eth0"
"#;

const SERVICES: &str = r#"
[[service]]
name = "db"
address = "10.97.0.10"
ports = [5432]
affinity = 10800
backends = [{ address = "192.168.0.20", weight = 2 }, { address = "192.168.0.21", port = 15432 }]
[[service]]
name = "names"
address = "10.97.0.53"
protocol = "udp"
ports = [53, 5353]
network = ["storage"]
backends = [{ address = "192.168.0.20" }]
[[service]]
name = "elsewhere"
address = "10.97.0.99"
ports = [80]
backends = [{ address = "10.244.0.9" }]
"#;

const INSIDE: &str = "\n[service_path]\nmode = \"inside\"\n";

const BOTH: &str = r#"
[service_path]
mode = "both"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:97::/112"]
cgroup = "/sys/fs/cgroup/machine.slice"
"#;

const WITH_MAC: &str =
    r#"[{"name":"storage","mac":"02:00:5e:00:53:01","addresses":["192.168.0.40/24"]}]"#;

const USUAL: Shape = Shape {
    name: "vf_plain",
    networks: PLAIN,
    service_path: NO_SERVICE,
    services: "",
    annotation: "storage",
    host: HostKind::Usual,
    sandbox: SandboxKind::Empty,
};

/// Every case.
pub(crate) fn all() -> Vec<Shape> {
    [devices(), routes(), vec![everything()]].concat()
}

/// VFs that programs drive: none of them has an interface, so what is said of all others does not hold of them (`tests/vfio.rs`).
pub(crate) fn driven() -> [Shape; 2] {
    [
        Shape { name: "vfio", networks: DRIVEN, annotation: "data", ..USUAL },
        Shape {
            name: "vfio_strange",
            networks: DRIVEN,
            service_path: VETH,
            annotation: DRIVEN_MAC,
            host: HostKind::Strange,
            ..USUAL
        },
    ]
}

fn devices() -> Vec<Shape> {
    vec![
        USUAL,
        Shape { name: "vf_set_up", networks: SET_UP, annotation: WITH_MAC, ..USUAL },
        Shape {
            name: "vf_strange_set_up",
            networks: SET_UP,
            annotation: WITH_MAC,
            host: HostKind::Strange,
            ..USUAL
        },
        Shape { name: "vf_strange", host: HostKind::Strange, ..USUAL },
        Shape { name: "best_effort", networks: FORGIVING, ..USUAL },
        Shape {
            name: "best_effort_refused",
            networks: FORGIVING,
            host: HostKind::Refusing,
            ..USUAL
        },
        Shape {
            name: "best_effort_mac_refused",
            networks: FORGIVING_MAC,
            annotation: WITH_MAC,
            host: HostKind::Refusing,
            ..USUAL
        },
        Shape { name: "macvlan", networks: SHARED, annotation: "lan", ..USUAL },
        Shape { name: "ipvlan", networks: IPVLAN, annotation: "lan,second", ..USUAL },
        Shape { name: "vlan", networks: VLAN, annotation: "lan,second", ..USUAL },
        Shape { name: "macvlan_passthru", networks: PASSTHRU, annotation: "lan", ..USUAL },
        Shape { name: "bond", networks: BOND, annotation: "ha", service_path: VETH, ..USUAL },
        Shape { name: "host_device", networks: WHOLE, annotation: "eni", ..USUAL },
        Shape { name: "two_networks", annotation: "storage@a,storage@b", ..USUAL },
    ]
}

fn routes() -> Vec<Shape> {
    vec![
        Shape { name: "default_route", networks: DUAL, ..USUAL },
        Shape { name: "default_route_beside", networks: DUAL, sandbox: SandboxKind::Eth0, ..USUAL },
        Shape {
            name: "several_ways_out",
            networks: WAYS,
            service_path: VETH,
            annotation: "storage,lan",
            ..USUAL
        },
        Shape {
            name: "ipv6_disabled",
            networks: DUAL,
            service_path: VETH,
            sandbox: SandboxKind::WithoutIpv6,
            ..USUAL
        },
        Shape { name: "service_path_veth", service_path: VETH, ..USUAL },
        Shape {
            name: "host_ipv6_disabled",
            service_path: VETH,
            host: HostKind::WithoutIpv6,
            ..USUAL
        },
        Shape { name: "service_path_inside", service_path: INSIDE, services: SERVICES, ..USUAL },
        Shape {
            name: "service_path_both",
            networks: DUAL,
            service_path: BOTH,
            services: SERVICES,
            ..USUAL
        },
        Shape {
            name: "service_path_existing",
            service_path: EXISTING,
            sandbox: SandboxKind::Eth0,
            ..USUAL
        },
        Shape {
            name: "service_path_existing_route",
            service_path: EXISTING,
            sandbox: SandboxKind::Eth0WithRoute,
            ..USUAL
        },
        Shape {
            name: "service_path_existing_default_route",
            networks: DUAL,
            service_path: EXISTING,
            sandbox: SandboxKind::Eth0,
            ..USUAL
        },
    ]
}

/// The case that has the most kinds of steps.
pub(crate) fn everything() -> Shape {
    Shape {
        name: "everything",
        networks: SET_UP,
        service_path: VETH,
        services: "",
        annotation: WITH_MAC,
        host: HostKind::Strange,
        sandbox: SandboxKind::Eth0,
    }
}

/// The case with this name.
pub(crate) fn named(name: &str) -> Shape {
    all().into_iter().chain(driven()).find(|shape| shape.name == name).unwrap()
}

impl Shape {
    /// The configuration.
    pub(crate) fn config(&self) -> Config {
        // Its own pools on the parent are alone there.
        let pools = if self.networks.contains("[[pool]]") { OWN_POOLS } else { POOLS };
        let text = [pools, self.networks, self.service_path, self.services].concat();
        config::parse(&text).unwrap_or_else(|problems| panic!("{}: {problems:?}", self.name))
    }

    /// What is asked for.
    pub(crate) fn requests(&self) -> Vec<NetworkRequest> {
        request::networks(self.annotation).unwrap()
    }

    /// The machine, with the sandbox at [`BLUE`].
    pub(crate) fn machine(&self) -> Machine {
        let mut machine = match self.host {
            HostKind::Usual => with_driver(Driver::default(), |_, _, _| {}),
            HostKind::Refusing => with_driver(refusing(), |_, _, _| {}),
            HostKind::Strange => strange(),
            HostKind::WithoutIpv6 => with_driver(Driver::default(), |_, _, _| {}),
        };
        if self.networks == BOND {
            add_card(&mut machine, OTHER_CARD, "ens2f0", &["0000:02:10.0", "0000:02:10.2"]);
        }
        if self.networks == WHOLE {
            add_cloud_card(&mut machine);
        }
        machine.host.ipv6_disabled = self.host == HostKind::WithoutIpv6;
        self.add_sandbox(&mut machine, BLUE);
        machine
    }

    /// Puts one more sandbox like the first into the machine.
    pub(crate) fn add_sandbox(&self, machine: &mut Machine, path: &str) -> u64 {
        let cookie = machine.add_sandbox(path);
        let sandbox = machine.sandbox(cookie).unwrap();
        match self.sandbox {
            SandboxKind::Empty => {}
            SandboxKind::Eth0 => add_eth0(sandbox),
            SandboxKind::Eth0WithRoute => {
                add_eth0(sandbox);
                let link = sandbox.link_mut("eth0").unwrap();
                let mut route = link.routes.last().unwrap().clone();
                (route.to, route.via) = (parse("10.96.0.0/12"), Some(parse("10.88.0.9")));
                (route.source, route.metric) = (Some(parse("10.88.0.5")), 0);
                link.routes.push(route);
            }
            SandboxKind::WithoutIpv6 => sandbox.ipv6_disabled = true,
        }
        cookie
    }
}

/// A machine with a device of each kind: of each what a network of the model needs.
pub(crate) fn of_each_kind() -> Machine {
    let mut machine = usual();
    add_card(&mut machine, OTHER_CARD, "ens2f0", &["0000:02:10.0", "0000:02:10.2"]);
    add_card(&mut machine, "0000:03:00.0", "ens3f0", &["0000:03:10.0", "0000:03:10.2"]);
    add_card(&mut machine, "0000:04:00.0", "ens4f0", &["0000:04:10.0", "0000:04:10.2"]);
    add_cloud_card(&mut machine);
    machine.host.add_link(&parse("lan1"), []);
    machine
}

fn add_card(machine: &mut Machine, address: &str, name: &str, vfs: &[&str]) {
    let template = CardTemplate {
        address: parse(address),
        name: parse(name),
        vfs: vfs.iter().map(|vf| parse(vf)).collect(),
        driver: Driver::default(),
    };
    machine.add_card(&template, |_, _, _| {});
}

/// A card of a cloud's, with addresses, a route in a table of its own, a neighbour.
fn add_cloud_card(machine: &mut Machine) {
    machine.add_whole_device(
        parse("0000:00:06.0"),
        &parse("ens6"),
        [parse("10.7.0.5/24"), parse("fd00:7::5/64")],
    );
    let link = machine.host.link_mut("ens6").unwrap();
    let mut route = link.routes[0].clone();
    (route.to, route.via) = (parse("10.20.0.0/16"), Some(parse("10.7.0.1")));
    (route.protocol, route.table) = (4, 100);
    link.routes.push(route);
    link.neighbours.insert(parse("10.7.0.1"), parse("02:00:00:00:07:01"));
    link.sysctls.insert("ipv4/rp_filter".to_owned(), "2".to_owned());
}

fn refusing() -> Driver {
    let unknown = [VfAttribute::LinkState, VfAttribute::Mac];
    let refuses = unknown.map(|which| (which, nix::errno::Errno::EOPNOTSUPP)).into();
    Driver { refuses, ..Driver::default() }
}

/// A host whose operator has other plans with its VFs.
fn strange() -> Machine {
    let mut machine = with_driver(Driver::default(), make_strange);
    for index in 0..VFS {
        let link = machine.host.link_mut(&format!("ens1f0v{index}")).unwrap();
        link.sysctls.insert("ipv6/disable_ipv6".to_owned(), "1".to_owned());
        link.sysctls.insert("ipv4/rp_filter".to_owned(), "1".to_owned());
        link.features = vec![0xf0, 1];
    }
    machine
}

/// A VF as an operator with other plans left it.
fn make_strange(index: usize, link: &mut Link, attributes: &mut VfAttributes) {
    link.altnames = [
        KernelText::new(format!("strange{index}")),
        KernelText::new([&b"\xff"[..], index.to_string().as_bytes()].concat()),
    ]
    .into();
    link.mtu = 1400;
    link.alias = Some(KernelText::new(&b"a note of the operator, in no encoding: \xe9"[..]));
    link.up = true;
    link.promiscuous = true;
    link.all_multicast = true;
    link.tx_queue_len = 500;
    let settings = link.settings.as_mut().unwrap();
    settings.numbers.insert(Setting::Group, 5);
    settings.numbers.insert(Setting::GsoMaxSize, 30000);
    settings.flags |= NO_ARP;
    attributes.mac = link.mac.map(AdminMac::Assigned);
    attributes.vlan = Some(Vlan { id: 7, qos: 3, protocol: VlanProtocol::Ieee8021Q });
    attributes.rate = Some((0, 50));
    attributes.spoof_check = Some(false);
    attributes.trust = Some(true);
}
