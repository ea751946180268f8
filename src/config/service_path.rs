//! `[service_path]`: how sandboxes reach service networks, whose rules exist only in the host's stack.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use ipnet::IpNet;
use serde::Deserialize;

use super::{
    Network,
    section::{Named, Section},
};
use crate::types::{
    AddressRange, InterfaceName, LINK_LOCAL, Name, TranslationPlace, special_purpose,
};

/// The service path of every sandbox that does not opt out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServicePath {
    /// What carries it.
    pub mode: ServicePathMode,
    /// Networks that are reached through the host.
    pub cidrs: Vec<IpNet>,
    /// Whether those of the cluster belong to them, and nobody said yet which these are.
    pub untold: bool,
    /// In the sandbox: the veth's name, or the existing interface to route through.
    pub interface: Option<InterfaceName>,
    /// Addresses of the sandbox's end, one of each family that `cidrs` has.
    pub source: Vec<AddressRange>,
    /// The MTU of the veth pair in bytes; `None` leaves it to the kernel.
    pub mtu: Option<u32>,
    /// Where services are translated, in a mode that does.
    pub place: TranslationPlace,
    /// What becomes of a service that has backends both on a client's own networks and elsewhere.
    pub mixed: Mixed,
}

/// What carries the service path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServicePathMode {
    /// A veth pair of our own.
    Veth,
    /// An interface that the sandbox has already.
    Existing,
    /// Services become backends where the sandbox connects; nothing leads to the host.
    Inside,
    /// Services that have backends on the sandbox's own networks become those; the others leave by a veth pair.
    Both,
    /// There is none.
    #[default]
    Off,
}

impl ServicePathMode {
    /// Whether it has a veth pair of our own.
    pub fn has_pair(self) -> bool {
        matches!(self, Self::Veth | Self::Both)
    }

    /// Whether sandboxes have routes to service networks.
    pub fn leads_out(self) -> bool {
        self.has_pair() || self == Self::Existing
    }

    /// Whether services become backends at the socket.
    pub fn is_inside(self) -> bool {
        matches!(self, Self::Inside | Self::Both)
    }
}

/// What becomes of a service that has backends both on a client's own networks and elsewhere. Half of its connections inside would give its
/// backends unfair shares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mixed {
    /// It is translated: the client reaches the others by whatever route it has.
    #[default]
    Translate,
    /// It is left to the veth pair.
    Veth,
}

impl ServicePath {
    /// The sandbox's next hop over the veth. Link-local, and the same in every sandbox: the pair has two ends only.
    pub fn next_hop(ipv6: bool) -> IpAddr {
        if ipv6 {
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).into()
        } else {
            Ipv4Addr::new(169, 254, 1, 1).into()
        }
    }
}

/// The word that stands for the service networks of the cluster.
pub(super) const CLUSTER: &str = "cluster";

/// An element of `cidrs`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
enum Cidr {
    Cluster,
    Network(IpNet),
}

impl Cidr {
    fn network(self) -> Option<IpNet> {
        if let Self::Network(network) = self { Some(network) } else { None }
    }
}

impl TryFrom<String> for Cidr {
    type Error = ipnet::AddrParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == CLUSTER { Ok(Self::Cluster) } else { text.parse().map(Self::Network) }
    }
}

pub(super) fn read(section: &mut Section) -> Option<ServicePath> {
    let mode = section.required("mode");
    let said: Vec<Cidr> = section.list("cidrs");
    let path = ServicePath {
        untold: said.contains(&Cidr::Cluster),
        cidrs: said.into_iter().filter_map(Cidr::network).collect(),
        interface: section.optional("interface"),
        source: section.list("source"),
        mtu: section.optional("mtu"),
        place: place(section),
        mixed: section.optional("mixed").unwrap_or_default(),
        mode: mode?,
    };
    if path.mixed == Mixed::Veth && path.mode != ServicePathMode::Both {
        section.problem("mixed", "\"veth\" needs mode = \"both\": no other has both ways");
    }
    if path.mode.leads_out() {
        let no_cidrs = path.cidrs.is_empty() && !path.untold;
        let needed = [("interface", path.interface.is_none()), ("cidrs", no_cidrs)];
        for (key, _) in needed.into_iter().filter(|(_, missing)| *missing) {
            section.problem(key, "is missing or wrong, and the mode needs it");
        }
    }
    // Less than this has no IPv6, and no pair has more.
    if let Some(mtu) = path.mtu.filter(|mtu| !(1280..=65535).contains(mtu)) {
        section.problem("mtu", format!("expected 1280 to 65535 bytes, found {mtu}"));
    }
    if path.mtu.is_some() && !path.mode.has_pair() {
        section.problem("mtu", "needs mode = \"veth\": an interface that is there has its own");
    }
    if path.mode.has_pair() {
        check_sources(section, &path);
    }
    Some(path)
}

/// Where services are translated.
fn place(section: &mut Section) -> TranslationPlace {
    let usual = TranslationPlace::default();
    let mut read = |key, usual| {
        let path: PathBuf = section.optional(key).unwrap_or(usual);
        if !path.is_absolute() {
            section.problem(key, "expected a path from the root on");
        }
        path
    };
    TranslationPlace { cgroup: read("cgroup", usual.cgroup), bpffs: read("bpffs", usual.bpffs) }
}

/// A sandbox reaches its own network by its device. With the same network in `cidrs` one of the two routes would take the
/// other's place; with a part of it, or with what it is a part of, some of it could not be reached. Everything (`0.0.0.0/0`)
/// means all the rest.
pub(super) fn refuse_own_networks(
    section: &mut Section,
    networks: &[Named<Network>],
    path: &ServicePath,
) {
    if !path.mode.leads_out() {
        return;
    }
    for (index, cidr) in path.cidrs.iter().enumerate().filter(|(_, cidr)| cidr.prefix_len() > 0) {
        let meets = |own: &IpNet| cidr.contains(own) || own.contains(cidr);
        for element in networks {
            let ranges = element.value.iter().flat_map(|network| &network.addresses);
            let Some(own) = ranges.filter_map(AddressRange::network).find(meets) else { continue };
            let name = element.name.as_ref().map_or("", Name::as_str);
            let message = format!(
                "{cidr} overlaps with {own}, the own network of \"{name}\", which a sandbox reaches by its device: make cidrs narrower"
            );
            section.problem(&format!("service_path.cidrs[{index}]"), message);
        }
    }
}

/// What leads to the services leads there by the service path: of two routes to one network only one is ever used.
pub(super) fn refuse_service_networks(
    section: &mut Section,
    networks: &[Named<Network>],
    path: &ServicePath,
) {
    if !path.mode.leads_out() {
        return;
    }
    let cidrs: Vec<IpNet> = path.cidrs.iter().map(IpNet::trunc).collect();
    for (position, element) in networks.iter().enumerate() {
        let routes = element.value.iter().flat_map(|network| &network.routes).enumerate();
        let main = routes.filter(|(_, route)| route.table.is_none());
        for (index, route) in main.filter(|(_, route)| cidrs.contains(&route.to)) {
            let name = element.name.as_ref().map_or("", Name::as_str);
            let message = format!(
                "{} of \"{name}\" is one of service_path.cidrs too: leave one of them out",
                route.to
            );
            section.problem(&format!("network[{position}].routes[{index}].to"), message);
        }
    }
}

fn check_sources(section: &mut Section, path: &ServicePath) {
    for ipv6 in [false, true] {
        let wanted = path.cidrs.iter().any(|cidr| cidr.addr().is_ipv6() == ipv6);
        let given = path.source.iter().any(|range| range.is_ipv6() == ipv6);
        if wanted && !given {
            let (family, example) =
                if ipv6 { ("IPv6", "fd00:97::/112") } else { ("IPv4", "169.254.96.0/20") };
            let message = format!(
                "cidrs has an {family} network, source has none: add a range of this node's own, such as \"{example}\""
            );
            section.problem("source", message);
        }
        let next_hop = ServicePath::next_hop(ipv6);
        if path.source.iter().any(|range| range.contains_address(next_hop)) {
            let message = format!("has {next_hop}, which is the next hop of the service path");
            section.problem("source", message);
        }
    }
    for range in &path.source {
        // Addresses of one link are what both ends of a pair of ours may well have, but in IPv6 no route may name them as a source.
        let fits = |what: &&str| *what != LINK_LOCAL || range.is_ipv6();
        if let Some(what) = special_purpose(range).filter(fits) {
            section
                .problem("source", format!("{range} has {what} addresses, which nobody is given"));
        } else if !range.has_any_but(&[]) {
            let message =
                "has only the network's own or the broadcast address, which nobody is given";
            section.problem("source", format!("{range} {message}"));
        }
    }
    let networks = path.source.iter().filter_map(AddressRange::network);
    for network in networks {
        let overlaps =
            |cidr: &&IpNet| cidr.contains(&network.addr()) || network.contains(&cidr.addr());
        if let Some(cidr) = path.cidrs.iter().find(overlaps) {
            section.problem("source", format!("{network} overlaps with {cidr} of cidrs"));
        }
    }
}
