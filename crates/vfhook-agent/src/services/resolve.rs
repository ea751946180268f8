//! A cluster's Services, `EndpointSlice`s and the addresses of its pods on vfhook's networks → the services that sandboxes of this node may be
//! given. Pure. What strangers wrote is left out where it means nothing; the rest of it is served.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use vfhook::{
    config::{AnnouncedService, ConfiguredService},
    types::{self, AddressRange, Backend, Name, Protocol, special_purpose},
};

use super::{
    endpoints::{Here, Place, choose, gather, rest},
    object::{EndpointSlice, OnNetwork, PodAddresses, Service, ServicePort},
};
use crate::followed::Key;

/// All that is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cluster<'a> {
    pub(crate) here: Here<'a>,
    pub(crate) services: &'a BTreeMap<Key, Service>,
    pub(crate) slices: &'a BTreeMap<Key, EndpointSlice>,
    /// By node.
    pub(crate) addresses: &'a BTreeMap<String, &'a PodAddresses>,
    /// The networks that this node has.
    pub(crate) networks: &'a BTreeSet<Name>,
    /// Whether a service that nobody serves is one, too.
    pub(crate) with_empty: bool,
}

/// What other proxies than kube-proxy are for is for them (`cmd/kube-proxy/app/server.go`).
const OF_ANOTHER_PROXY: &str = "service.kubernetes.io/service-proxy-name";
const HEADLESS: &str = "service.kubernetes.io/headless";
/// Whose slice it is.
const SERVICE: &str = "kubernetes.io/service-name";

/// How long affinity is where nobody says (`core/v1` `DefaultClientIPServiceAffinitySeconds`), and at most.
const AFFINITY: u32 = 10_800;
const LONGEST_AFFINITY: u32 = 86_400;

/// Node, namespace and name of a pod.
type PodKey<'a> = (&'a str, &'a str, &'a str);

/// Services that have a backend on a network, an element for each port and address family, in order.
pub(crate) fn services(cluster: &Cluster) -> Vec<AnnouncedService> {
    let mut slices: BTreeMap<(&str, &str), Vec<&EndpointSlice>> = BTreeMap::new();
    for ((namespace, _), slice) in cluster.slices {
        let is_meant =
            [OF_ANOTHER_PROXY, HEADLESS].iter().all(|key| slice.metadata.label(key).is_none());
        if let Some(service) = slice.metadata.label(SERVICE).filter(|_| is_meant) {
            slices.entry((namespace, service)).or_default().push(slice);
        }
    }
    let mut pods: BTreeMap<PodKey, &[OnNetwork]> = BTreeMap::new();
    for (node, addresses) in cluster.addresses {
        let each = addresses.spec.pods.iter();
        pods.extend(each.map(|pod| {
            ((node.as_str(), pod.namespace.as_str(), pod.name.as_str()), pod.networks.as_slice())
        }));
    }
    let mut found = Vec::new();
    let mut taken = BTreeSet::new();
    for ((namespace, name), service) in cluster.services {
        let none = Vec::new();
        let slices = slices.get(&(namespace.as_str(), name.as_str())).unwrap_or(&none);
        for (address, port) in served(service) {
            let Some(service) = resolve(cluster, service, address, port, slices, &pods) else {
                continue;
            };
            let (Ok(namespace), Ok(name)) = (namespace.parse(), name.parse()) else { continue };
            // Of two with one address the server allows none; should it tell of both for a moment, one is enough.
            let mut keys =
                service.ports.iter().map(|port| (port.address, port.port, port.protocol));
            if keys.all(|key| taken.insert(key)) {
                found.push(AnnouncedService { namespace, name, service });
            }
        }
    }
    found.sort();
    found
}

/// The addresses and ports of a service that has some of the cluster's.
fn served(service: &Service) -> Vec<(IpAddr, &ServicePort)> {
    let spec = &service.spec;
    let is_meant = spec.r#type.as_deref() != Some("ExternalName")
        && [OF_ANOTHER_PROXY, HEADLESS].iter().all(|key| service.metadata.label(key).is_none());
    let several = spec.cluster_ips.iter().flatten();
    let addresses: Vec<&String> = match &spec.cluster_ips {
        Some(all) if !all.is_empty() => several.collect(),
        _ => spec.cluster_ip.iter().collect(),
    };
    let addresses = addresses.into_iter().filter(|_| is_meant);
    // "None" is no address.
    let addresses = addresses.filter_map(|text| text.parse().ok()).filter(|one| is_usual(*one));
    let ports = || spec.ports.iter().flatten().filter(|port| port.port > 0);
    addresses.flat_map(|address| ports().map(move |port| (address, port))).collect()
}

/// Whether an address is one that a wire may have.
fn is_usual(address: IpAddr) -> bool {
    special_purpose(&AddressRange::from(ipnet::IpNet::from(address))).is_none()
}

fn resolve(
    cluster: &Cluster,
    service: &Service,
    address: IpAddr,
    port: &ServicePort,
    slices: &[&EndpointSlice],
    pods: &BTreeMap<PodKey, &[OnNetwork]>,
) -> Option<ConfiguredService> {
    let word = port.protocol.as_deref().unwrap_or("TCP");
    let protocol = match word {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        // Nothing at the socket sees SCTP.
        _ => return None,
    };
    let all = gather(slices, address.is_ipv6(), port.name.as_deref(), word);
    let is_local = service.spec.internal_traffic_policy.as_deref() == Some("Local");
    let mut chosen = choose(&all, is_local, cluster.here);
    chosen.retain(|place| is_usual(place.address));
    // A connected UDP socket keeps its backend while that serves, and would not hear of its end: who is left out here is freed of.
    let mut kept = match protocol {
        Protocol::Udp => rest(&all, &chosen, is_local, cluster.here),
        Protocol::Tcp => Vec::new(),
    };
    kept.retain(|place| is_usual(place.address));
    let mut on: BTreeMap<IpAddr, BTreeSet<(Name, IpAddr)>> = BTreeMap::new();
    let mut is_worth_it = cluster.with_empty && chosen.is_empty();
    for (place, takes_clients) in with(&chosen, true).chain(with(&kept, false)) {
        let own = on_networks(cluster, place, pods);
        if !own.is_empty() {
            is_worth_it |= takes_clients;
            on.entry(place.address).or_default().extend(own);
        }
    }
    let backend = |(place, takes_clients): (&Place, bool)| Backend {
        address: place.address,
        port: place.port,
        weight: takes_clients.into(),
    };
    let backends = with(&chosen, true).chain(with(&kept, false)).map(backend).collect();
    let affinity = affinity(service);
    let port = types::Service { address, port: port.port, protocol, backends, affinity };
    is_worth_it.then(|| ConfiguredService { ports: vec![port], networks: Vec::new(), on })
}

/// Each of these, with what is so of all of them.
fn with<'a, 'b>(
    places: &'b [Place<'a>],
    takes_clients: bool,
) -> impl Iterator<Item = (&'b Place<'a>, bool)> {
    places.iter().map(move |place| (place, takes_clients))
}

/// What an endpoint's pod has on the networks of this node, of the endpoint's family.
fn on_networks(
    cluster: &Cluster,
    place: &Place,
    pods: &BTreeMap<PodKey, &[OnNetwork]>,
) -> BTreeSet<(Name, IpAddr)> {
    let pod = || {
        let target =
            place.of.target_ref.as_ref().filter(|one| one.kind.as_deref() == Some("Pod"))?;
        let key =
            (place.of.node_name.as_deref()?, target.namespace.as_deref()?, target.name.as_deref()?);
        pods.get(&key)
    };
    let networks = pod().into_iter().flat_map(|networks| networks.iter());
    let known = networks.filter_map(|one| {
        let name: Name = one.name.parse().ok()?;
        cluster.networks.contains(&name).then_some((name, &one.addresses))
    });
    let is_ipv6 = place.address.is_ipv6();
    let fits = |address: &IpAddr| address.is_ipv6() == is_ipv6 && is_usual(*address);
    known
        .flat_map(|(name, addresses)| {
            addresses.iter().copied().filter(fits).map(move |address| (name.clone(), address))
        })
        .collect()
}

fn affinity(service: &Service) -> Option<u32> {
    let spec = &service.spec;
    let config = spec.session_affinity_config.as_ref();
    let told = config.and_then(|config| config.client_ip.as_ref()?.timeout_seconds);
    let is_by_client = spec.session_affinity.as_deref() == Some("ClientIP");
    is_by_client.then(|| told.unwrap_or(AFFINITY).clamp(1, LONGEST_AFFINITY))
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
