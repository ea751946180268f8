//! Who is there: the node with a pod, a VF beside the container's, another node with a pod, somebody outside, a pod of the ptp plugin; and the
//! services that lead to them. It must not ask anything.

use std::net::SocketAddr;

use crate::guest::failure::Failure;
use crate::guest::kube_proxy::{Masquerade, Mode, Service};
use crate::guest::place::{Netns, Place};
use crate::guest::{self, Guest, node, peer, probe, ptp, talk, vfhook};

/// One address for each of two networks: backends must have addresses that rules can name.
const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.40-192.168.0.40/24", "fd00:10::40-fd00:10::40/64"]
gateway = ["192.168.0.1", "fd00:10::1"]
default_route = true

[[network]]
name = "proxied"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.50-192.168.0.50/24"]
gateway = ["192.168.0.1"]
default_route = true
"#;
const VETH: &str = r#"
[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:fe::/112"]
"#;
const OFF: &str = "\n[service_path]\nmode = \"off\"\n";
const EXISTING: &str = r#"
[service_path]
mode = "existing"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "eth0"
"#;

/// The container, its namespace and the server in it.
pub(super) const BLUE: &str = "blue";
/// The pod of the ptp plugin.
pub(super) const PLAIN: &str = "plain";
/// Somebody who is no part of the cluster, on the VFs' own network.
pub(super) const OUTSIDE: &str = "outside";
/// The pod of the other node.
pub(super) const OTHER: &str = "other";
/// The connection that lasts.
pub(super) const HOLD: &str = "hold";
/// How long it lasts.
pub(super) const HOLD_SECONDS: u32 = 30;

/// The container's own addresses, on its VF.
pub(super) const BLUE_ADDRESS: [&str; 2] = ["192.168.0.40", "fd00:10::40"];
pub(super) const OUTSIDE_ADDRESS: [&str; 2] = ["192.168.0.9", "fd00:10::9"];
pub(super) const VF_ADDRESS: [&str; 2] = ["192.168.0.2", "fd00:10::2"];
const PLAIN_ADDRESS: [&str; 2] = ["10.244.7.2", "fd00:244:7::2"];
const PLAIN_SUBNET: [&str; 2] = ["10.244.7.0/24", "fd00:244:7::/64"];

pub(super) const OTHER_MASQUERADES: [Masquerade; 2] = [Masquerade::FromOutside, Masquerade::All];

/// Where a backend is.
#[derive(Debug)]
pub(super) struct Backend {
    /// For the table.
    pub(super) title: &'static str,
    /// What its server says it is.
    pub(super) server: &'static str,
    /// The last number of its services' addresses.
    pub(super) number: u32,
    addresses: [&'static str; 2],
}

/// Backends that are nobody's own.
pub(super) const BACKENDS: [Backend; 4] = [
    Backend { title: "the host itself", server: "host", number: 10, addresses: peer::GATEWAY },
    Backend { title: "a pod here", server: "pod", number: 11, addresses: peer::POD },
    Backend { title: "a VF here", server: "vf", number: 12, addresses: VF_ADDRESS },
    Backend { title: "a pod elsewhere", server: OTHER, number: 13, addresses: node::POD },
];
/// Each client is a backend too; the two services are one line of the table.
pub(super) const OWN: [Backend; 2] = [
    Backend { title: "the client itself", server: BLUE, number: 14, addresses: BLUE_ADDRESS },
    Backend { title: "the client itself", server: PLAIN, number: 15, addresses: PLAIN_ADDRESS },
];

/// Numbers of the services that are not backends' own.
pub(super) const NONE: u32 = 60;
pub(super) const STICKY: u32 = 61;
pub(super) const SPREAD: u32 = 62;
/// Ports of the node.
pub(super) const TO_BLUE: u16 = 30080;
pub(super) const TO_POD_LOCAL: u16 = 30081;
pub(super) const TO_BLUE_LOCAL: u16 = 30082;
pub(super) const TO_PLAIN_LOCAL: u16 = 30083;
pub(super) const TO_POD: u16 = 30084;
pub(super) const TO_BLUE_UDP: u16 = 30085;
/// The reverse proxy of who has no service path.
pub(super) const PROXY: &str = "192.168.0.1:8088";

/// The mode as kube-proxy's documentation calls it.
pub(super) fn title(mode: Mode) -> &'static str {
    match mode {
        Mode::Iptables => "iptables",
        Mode::Legacy => "iptables (legacy)",
        Mode::Nftables => "nftables",
        Mode::Ipvs => "IPVS",
    }
}

/// Everything that is there before vfhook comes.
pub(super) fn lay_out(guest: &Guest) -> Result<(), Failure> {
    configure(ServicePath::Veth)?;
    peer::gateway()?;
    node::way_out()?;
    let vf = guest.vf(0, 3)?;
    let near = peer::vf(vf, "near", &with_lengths(VF_ADDRESS).each_ref().map(String::as_str))?;
    node::by_the_gateway("near", &vf.name)?;
    let outside = with_lengths(OUTSIDE_ADDRESS);
    peer::vf(guest.vf(1, 1)?, OUTSIDE, &outside.each_ref().map(String::as_str))?;
    let other = node::other(guest.vf(1, 0)?, "node2", OTHER)?;
    let pod = peer::pod("web")?;
    let plain = Netns::create(PLAIN)?;
    ptp::add(PLAIN, &PLAIN_SUBNET)?;
    let places = [Place::Host, pod.place(), near.place(), other.place()];
    for (backend, place) in BACKENDS.iter().zip(&places) {
        serve(backend, place)?;
    }
    let [_, own] = &OWN;
    serve(own, &plain.place())?;
    talk::start_relay("relay", talk::address(PROXY)?, at(0, 11, 80)?)?;
    Netns::create("green")?;
    Netns::create(BLUE).map(drop)
}

/// How vfhook leads to services.
#[derive(Debug, Clone, Copy)]
pub(super) enum ServicePath {
    /// By a pair of its own.
    Veth,
    /// By the interface that is there.
    Existing,
    /// Not at all.
    Off,
}

/// Gives vfhook its configuration.
pub(super) fn configure(service_path: ServicePath) -> Result<(), Failure> {
    let section = match service_path {
        ServicePath::Veth => VETH,
        ServicePath::Existing => EXISTING,
        ServicePath::Off => OFF,
    };
    guest::configure(&format!("{CONFIG}{section}"))
}

/// Attaches the container, makes it a backend, and waits until everybody is reached: a VF's carrier takes its time.
pub(super) fn attach(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("attach");
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    let blue = Netns::named(BLUE).place();
    let [own, _] = &OWN;
    serve(own, &blue)?;
    for target in VF_ADDRESS.iter().chain(&peer::GATEWAY).chain(&OUTSIDE_ADDRESS) {
        guest.expect(probe::ping(&blue, target))?;
    }
    for target in VF_ADDRESS.iter().chain(&node::POD).chain(&OUTSIDE_ADDRESS).chain(&BLUE_ADDRESS) {
        guest.expect(probe::ping(&Place::Host, target))?;
    }
    Ok(())
}

fn serve(backend: &Backend, place: &Place) -> Result<(), Failure> {
    let at: Vec<SocketAddr> = endpoints(backend)
        .iter()
        .map(|endpoint| talk::address(endpoint))
        .collect::<Result<_, _>>()?;
    talk::start_server(place, backend.server, &at)
}

fn endpoints(backend: &Backend) -> [String; 2] {
    let [v4, v6] = backend.addresses;
    [format!("{v4}:8080"), format!("[{v6}]:8080")]
}

fn with_lengths([v4, v6]: [&str; 2]) -> [String; 2] {
    [format!("{v4}/24"), format!("{v6}/64")]
}

/// A service's address of the family (0 is IPv4), as it is written.
fn written(family: usize, number: u32, port: u16) -> String {
    if family == 0 {
        format!("10.96.0.{number}:{port}")
    } else {
        format!("[fd00:96::{number}]:{port}")
    }
}

/// A service's address.
pub(super) fn at(family: usize, number: u32, port: u16) -> Result<SocketAddr, Failure> {
    talk::address(&written(family, number, port))
}

/// A port of the node.
pub(super) fn node_port(family: usize, port: u16) -> Result<SocketAddr, Failure> {
    let [v4, v6] = peer::GATEWAY;
    talk::address(&if family == 0 { format!("{v4}:{port}") } else { format!("[{v6}]:{port}") })
}

/// Every service there is, in both families.
pub(super) fn services() -> Result<Vec<Service>, Failure> {
    let mut all = Vec::new();
    for family in 0..2 {
        for backend in BACKENDS.iter().chain(&OWN) {
            let name = format!("{}-{family}", backend.server.to_uppercase());
            let endpoint = &endpoints(backend)[family];
            let (tcp, udp) =
                (written(family, backend.number, 80), written(family, backend.number, 53));
            let service = Service::tcp(&format!("{name}-T"), &tcp, &[endpoint])?;
            all.push(match backend.server {
                BLUE => service.on_node_port(TO_BLUE),
                "pod" => service.on_node_port(TO_POD),
                _ => service,
            });
            let service = Service::udp(&format!("{name}-U"), &udp, &[endpoint])?;
            all.push(if backend.server == BLUE {
                service.on_node_port(TO_BLUE_UDP)
            } else {
                service
            });
        }
        all.extend(special(family)?);
    }
    Ok(all)
}

/// Those with something to them.
fn special(family: usize) -> Result<Vec<Service>, Failure> {
    let [_, pod, vf, _] = &BACKENDS;
    let [blue, plain] = &OWN;
    let of = |backend: &Backend| endpoints(backend)[family].clone();
    let both = [of(pod), of(vf)];
    let both = both.each_ref().map(String::as_str);
    let named = |name: &str| format!("{name}-{family}");
    let local = |name: &str, number, backend: &Backend, port| {
        let service = Service::tcp(&named(name), &written(family, number, 80), &[&of(backend)])?;
        Ok::<_, Failure>(service.on_node_port(port).keeping_clients())
    };
    Ok(vec![
        Service::tcp(&named("NONE-T"), &written(family, NONE, 80), &[])?,
        Service::udp(&named("NONE-U"), &written(family, NONE, 53), &[])?,
        Service::tcp(&named("STICKY"), &written(family, STICKY, 80), &both)?.sticky(),
        Service::tcp(&named("SPREAD"), &written(family, SPREAD, 80), &both)?,
        local("LOCALPOD", 71, pod, TO_POD_LOCAL)?,
        local("LOCALBLUE", 72, blue, TO_BLUE_LOCAL)?,
        local("LOCALPLAIN", 73, plain, TO_PLAIN_LOCAL)?,
    ])
}
