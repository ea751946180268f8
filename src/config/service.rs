//! `[[service]]`: what becomes a backend where a sandbox connects, for machines on which nobody else tells of services.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Network, ServicePath,
    section::{Named, Section},
};
use crate::types::{AddressRange, Backend, Name, Protocol, Service, special_purpose};

/// A service as an operator names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfiguredService {
    /// One for each port.
    pub ports: Vec<Service>,
    /// The networks that its backends are on; empty leaves it to their addresses.
    pub networks: Vec<Name>,
    /// Backends, by their addresses, that are on networks by other addresses: by these, and on no other network.
    pub on: BTreeMap<IpAddr, BTreeSet<(Name, IpAddr)>>,
}

/// The longest affinity, in seconds: a day, as Kubernetes has it.
const LONGEST_AFFINITY: u32 = 86_400;
/// The highest weight: a backend has as many places of its service's as this says.
const HIGHEST_WEIGHT: u16 = 1000;

/// A backend before its port is known.
struct Place {
    address: IpAddr,
    port: Option<u16>,
    weight: u16,
    on: BTreeSet<(Name, IpAddr)>,
}

pub(super) fn read(section: &mut Section) -> Named<ConfiguredService> {
    let name = section.required("name");
    Named { name, value: read_unnamed(section) }
}

/// All of it but its name.
pub(super) fn read_unnamed(section: &mut Section) -> Option<ConfiguredService> {
    let address: Option<IpAddr> = section.required("address");
    let protocol: Protocol = section.optional("protocol").unwrap_or_default();
    let ports: Vec<u16> = section.list("ports");
    let affinity = affinity(section);
    let networks = section.list("network");
    let places = section.tables("backends", |section| backend(section, address, ports.len()));
    if ports.is_empty() {
        section.problem("ports", "is missing or wrong: name one at least");
    }
    if ports.contains(&0) {
        section.problem("ports", "0 is no port");
    }
    let itself = address.map(|address| AddressRange::from(ipnet::IpNet::from(address)));
    if let Some((what, address)) = itself.as_ref().and_then(special_purpose).zip(address) {
        section.problem("address", format!("{address} is {what}: no service has it"));
    }
    let service = |address, port| Service {
        address,
        port,
        protocol,
        backends: places
            .iter()
            .flatten()
            .map(|place| Backend {
                address: place.address,
                port: place.port.unwrap_or(port),
                weight: place.weight,
            })
            .collect(),
        affinity,
    };
    let ports = ports.iter();
    let ports = address.map(|address| ports.map(|port| service(address, *port)).collect())?;
    let mut on: BTreeMap<IpAddr, BTreeSet<(Name, IpAddr)>> = BTreeMap::new();
    for place in places.into_iter().flatten().filter(|place| !place.on.is_empty()) {
        on.entry(place.address).or_default().extend(place.on);
    }
    Some(ConfiguredService { ports, networks, on })
}

fn affinity(section: &mut Section) -> Option<u32> {
    let affinity: Option<u32> = section.optional("affinity");
    if let Some(seconds) = affinity.filter(|seconds| !(1..=LONGEST_AFFINITY).contains(seconds)) {
        let message = format!("expected 1 to {LONGEST_AFFINITY} seconds, found {seconds}");
        section.problem("affinity", message);
    }
    affinity
}

fn backend(section: &mut Section, service: Option<IpAddr>, ports: usize) -> Option<Place> {
    let address: Option<IpAddr> = section.required("address");
    let port: Option<u16> = section.optional("port");
    let weight = section.optional("weight").unwrap_or(1);
    let on = section.tables("on", |section| on_network(section, service));
    if port == Some(0) {
        section.problem("port", "0 is no port");
    }
    if port.is_some() && ports > 1 {
        section.problem("port", "with several ports a backend serves each on the same number");
    }
    if weight > HIGHEST_WEIGHT {
        section.problem("weight", format!("expected 0 to {HIGHEST_WEIGHT}, found {weight}"));
    }
    let address = address?;
    of_one_family(section, service, address);
    Some(Place { address, port, weight, on: on.into_iter().flatten().collect() })
}

/// The address that a backend has on a network.
fn on_network(section: &mut Section, service: Option<IpAddr>) -> Option<(Name, IpAddr)> {
    let network = section.required("network");
    let address = section.required("address")?;
    of_one_family(section, service, address);
    Some((network?, address))
}

fn of_one_family(section: &mut Section, service: Option<IpAddr>, address: IpAddr) {
    if let Some(service) = service.filter(|service| service.is_ipv6() != address.is_ipv6()) {
        let message = format!("{address} and the service's {service} are not of one family");
        section.problem("address", message);
    }
}

/// What services may not be beside each other, the networks and the service path.
pub(super) fn check(
    section: &mut Section,
    services: &[Named<ConfiguredService>],
    networks: &[Named<Network>],
    path: &ServicePath,
) {
    if !services.is_empty() && !path.mode.is_inside() {
        let message = "means nothing without service_path.mode = \"inside\" or \"both\"";
        section.problem("service", message);
    }
    let mut seen = BTreeMap::new();
    for (at, element) in services.iter().enumerate() {
        let Some(service) = &element.value else { continue };
        for port in &service.ports {
            let key = (port.address, port.port, port.protocol);
            if let Some(other) = seen.insert(key, element.name.as_ref()) {
                let other = other.map_or("", Name::as_str);
                let message = format!("{port} is one of \"{other}\" too");
                section.problem(&format!("service[{at}].ports"), message);
            }
        }
        refuse_unknown_networks(section, at, service, networks);
        refuse_given_address(section, at, service, networks);
    }
}

/// A network that is wrong in itself is still one: whoever names it made no mistake.
fn refuse_unknown_networks(
    section: &mut Section,
    at: usize,
    service: &ConfiguredService,
    networks: &[Named<Network>],
) {
    let is_known = |wanted: &Name| networks.iter().any(|one| one.name.as_ref() == Some(wanted));
    let unknown = |wanted: &Name| format!("there is no network \"{wanted}\"");
    for (index, wanted) in service.networks.iter().enumerate() {
        if !is_known(wanted) {
            section.problem(&format!("service[{at}].network[{index}]"), unknown(wanted));
        }
    }
    let on: BTreeSet<&Name> = service.on.values().flatten().map(|(network, _)| network).collect();
    for wanted in on.into_iter().filter(|wanted| !is_known(wanted)) {
        section.problem(&format!("service[{at}].backends.on"), unknown(wanted));
    }
}

/// Whoever is given the address could be reached by nobody who has the service.
fn refuse_given_address(
    section: &mut Section,
    at: usize,
    service: &ConfiguredService,
    networks: &[Named<Network>],
) {
    let Some(address) = service.ports.first().map(|port| port.address) else { return };
    for element in networks {
        let mut ranges = element.value.iter().flat_map(|network| &network.addresses);
        if ranges.any(|range| range.contains_address(address)) {
            let name = element.name.as_ref().map_or("", Name::as_str);
            let message = format!("{address} is one that \"{name}\" gives to sandboxes");
            section.problem(&format!("service[{at}].address"), message);
        }
    }
}
