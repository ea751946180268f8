//! Which of a service's endpoints new clients of a node get, as kube-proxy has it (`pkg/proxy/topology.go`, `endpointslicecache.go`). Pure:
//! knows what was said, and no network.

use std::{collections::BTreeMap, net::IpAddr};

use super::object::{Endpoint, EndpointSlice, Hint};

/// An endpoint of one port of a service.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// What it was said to be.
    pub(crate) of: &'a Endpoint,
}

impl Place<'_> {
    // What is not said is meant well (`discovery/v1` `EndpointConditions`).
    fn is_ready(&self) -> bool {
        self.of.conditions.ready.unwrap_or(true)
    }

    fn is_terminating(&self) -> bool {
        self.of.conditions.terminating.unwrap_or(false)
    }

    fn is_serving(&self) -> bool {
        self.of.conditions.serving.unwrap_or_else(|| self.is_ready())
    }

    fn is_on(&self, node: &str) -> bool {
        self.of.node_name.as_deref() == Some(node)
    }

    fn hints(&self, hinted: Hinted) -> &[Hint] {
        let hints = self.of.hints.as_ref();
        let hints = hints.and_then(|hints| match hinted {
            Hinted::Nodes => hints.for_nodes.as_deref(),
            Hinted::Zones => hints.for_zones.as_deref(),
        });
        hints.unwrap_or_default()
    }
}

/// What hints are of.
#[derive(Debug, Clone, Copy)]
enum Hinted {
    Nodes,
    Zones,
}

/// Where clients are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here<'a> {
    pub(crate) node: &'a str,
    pub(crate) zone: Option<&'a str>,
}

/// The endpoints that slices have for a port, by its name and protocol. One that several slices tell of is as the one says that lets it
/// live.
pub(crate) fn gather<'a>(
    slices: &[&'a EndpointSlice],
    is_ipv6: bool,
    port: Option<&str>,
    protocol: &str,
) -> Vec<Place<'a>> {
    let mut found: BTreeMap<(IpAddr, u16), Place<'a>> = BTreeMap::new();
    let kind = if is_ipv6 { "IPv6" } else { "IPv4" };
    for slice in slices.iter().filter(|slice| slice.address_type == kind) {
        let ports = slice.ports.iter().flatten().filter(|one| {
            one.name.as_deref().unwrap_or_default() == port.unwrap_or_default()
                && one.protocol.as_deref().unwrap_or("TCP") == protocol
        });
        for number in ports.filter_map(|one| one.port).filter(|number| *number > 0) {
            let endpoints = slice.endpoints.iter().flatten();
            for place in endpoints.filter_map(|endpoint| place(endpoint, is_ipv6, number)) {
                let key = (place.address, place.port);
                let other = found.get(&key);
                let worth = |one: &Place| (!one.is_terminating(), one.is_ready());
                if other.is_none_or(|other| worth(&place) > worth(other)) {
                    found.insert(key, place);
                }
            }
        }
    }
    found.into_values().collect()
}

/// Of several addresses the first (kubernetes#106267).
fn place(endpoint: &Endpoint, is_ipv6: bool, port: u16) -> Option<Place<'_>> {
    let address: IpAddr = endpoint.addresses.as_ref()?.first()?.parse().ok()?;
    (address.is_ipv6() == is_ipv6).then_some(Place { address, port, of: endpoint })
}

/// Those that new clients get.
pub(crate) fn choose<'a>(all: &[Place<'a>], is_local: bool, here: Here) -> Vec<Place<'a>> {
    let meant = |place: &&Place| !is_local || place.is_on(here.node);
    let near = if is_local { None } else { nearness(all, here) };
    let is_near = |place: &&Place| near.is_none_or(|(hinted, name)| names(place, hinted, name));
    let ready: Vec<Place> =
        all.iter().filter(|one| one.is_ready()).filter(meant).filter(is_near).cloned().collect();
    if !ready.is_empty() {
        return ready;
    }
    // Rather one that ends than none.
    let ends = |place: &&Place| place.is_serving() && place.is_terminating();
    all.iter().filter(ends).filter(meant).cloned().collect()
}

/// Those that new clients do not get, and that serve whom they have: the ones that end, and the ones that others are nearer than.
pub(crate) fn rest<'a>(
    all: &[Place<'a>],
    chosen: &[Place],
    is_local: bool,
    here: Here,
) -> Vec<Place<'a>> {
    let is_chosen = |place: &Place| {
        chosen.iter().any(|one| (one.address, one.port) == (place.address, place.port))
    };
    let meant = |place: &&Place| !is_local || place.is_on(here.node);
    let serves = |place: &&Place| place.is_serving() && !is_chosen(place);
    all.iter().filter(meant).filter(serves).cloned().collect()
}

/// What clients here prefer: hints count only if all that is ready has one, and one names us.
fn nearness<'a>(all: &[Place], here: Here<'a>) -> Option<(Hinted, &'a str)> {
    let wanted = [(Hinted::Nodes, Some(here.node)), (Hinted::Zones, here.zone)];
    let wanted = wanted.into_iter().filter_map(|(hinted, name)| Some((hinted, name?)));
    let mut counts = wanted.filter(|(hinted, name)| {
        let ready = || all.iter().filter(|one| one.is_ready());
        ready().all(|one| !one.hints(*hinted).is_empty())
            && ready().any(|one| names(one, *hinted, name))
    });
    counts.next()
}

fn names(place: &Place, hinted: Hinted, name: &str) -> bool {
    place.hints(hinted).iter().any(|hint| hint.name == name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const HERE: Here = Here { node: "n1", zone: Some("z1") };

    /// Endpoints by words: `r` ready, `s` serving and terminating, `t` terminating and not serving, `n` not ready; then the node; then hints,
    /// as `z1` or `@n1`.
    fn endpoint(number: usize, words: &str) -> Value {
        let mut parts = words.split(' ');
        let conditions = match parts.next().unwrap() {
            "r" => json!({ "ready": true, "serving": true, "terminating": false }),
            "s" => json!({ "ready": false, "serving": true, "terminating": true }),
            "t" => json!({ "ready": false, "serving": false, "terminating": true }),
            "n" => json!({ "ready": false, "serving": false }),
            "-" => json!({}),
            other => panic!("{other}"),
        };
        let node = parts.next().unwrap();
        let named = |name: &str| json!([{ "name": name }]);
        let hints: serde_json::Map<String, Value> = parts
            .map(|hint| match hint.strip_prefix('@') {
                Some(node) => ("forNodes".to_owned(), named(node)),
                None => ("forZones".to_owned(), named(hint)),
            })
            .collect();
        json!({
            "addresses": [format!("10.244.0.{number}")], "conditions": conditions, "nodeName": node,
            "hints": hints
        })
    }

    /// Those that are chosen, and the rest of them that serve.
    fn shared(all: &[&str], is_local: bool) -> [Vec<usize>; 2] {
        let endpoints: Vec<Value> =
            (1..).zip(all).map(|(number, words)| endpoint(number, words)).collect();
        let slice =
            json!({ "addressType": "IPv4", "ports": [{ "port": 80 }], "endpoints": endpoints });
        let slice: EndpointSlice = serde_json::from_value(slice).unwrap();
        let all = gather(&[&slice], false, None, "TCP");
        let last = |place: &Place| match place.address {
            IpAddr::V4(address) => usize::from(address.octets()[3]),
            IpAddr::V6(_) => 0,
        };
        let chosen = choose(&all, is_local, HERE);
        let rest = rest(&all, &chosen, is_local, HERE);
        [chosen, rest].map(|places| places.iter().map(last).collect())
    }

    fn chosen(all: &[&str], is_local: bool) -> Vec<usize> {
        let [chosen, _] = shared(all, is_local);
        chosen
    }

    #[test]
    fn who_ends_or_is_far_serves_whom_he_has() {
        for (all, cluster, local) in [
            (&["r n1", "s n1", "s n2"][..], &[2, 3][..], &[2][..]),
            // Who does not serve has nobody.
            (&["r n1", "t n1", "n n1"], &[], &[]),
            // With nobody else it is chosen.
            (&["s n1", "s n2"], &[], &[]),
            (&["r n1 z1", "r n2 z2"], &[2], &[]),
            (&["- n1", "s n1"], &[2], &[2]),
        ] {
            let [_, rest] = shared(all, false);
            assert_eq!(rest, cluster, "{all:?}");
            let [_, rest] = shared(all, true);
            assert_eq!(rest, local, "{all:?} local");
        }
    }

    #[test]
    fn clients_get_what_kube_proxy_gives_them() {
        for (all, cluster, local) in [
            (&["r n1", "r n2"][..], &[1, 2][..], &[1][..]),
            (&["- n1", "n n2"], &[1], &[1]),
            (&["n n1", "r n2"], &[2], &[]),
            (&["s n1", "t n1", "r n2"], &[3], &[1]),
            (&["s n1", "t n1", "s n2"], &[1, 3], &[1]),
            (&["t n1", "n n2"], &[], &[]),
            (&[], &[], &[]),
            // Hints of zones, if all that is ready has one, and one is ours; none for local ones.
            (&["r n1 z1", "r n2 z2"], &[1], &[1]),
            (&["r n1 z1", "r n2"], &[1, 2], &[1]),
            (&["r n1 z1", "n n2"], &[1], &[1]),
            (&["r n1 z2", "r n2 z3"], &[1, 2], &[1]),
            // Those of nodes come first.
            (&["r n1 z1 @n1", "r n2 z1 @n2"], &[1], &[1]),
            (&["r n2 z1 @n2", "r n3 z2 @n3"], &[1], &[]),
            (&["r n2 z2 @n1", "r n1 z1 @n2"], &[1], &[2]),
        ] {
            assert_eq!(chosen(all, false), cluster, "{all:?}");
            assert_eq!(chosen(all, true), local, "{all:?} local");
        }
    }

    #[test]
    fn slices_are_one_list() {
        let slice = |kind: &str, ports: Value, endpoints: &[(&str, Value)]| -> EndpointSlice {
            let endpoints: Vec<Value> = endpoints
                .iter()
                .map(|(address, ready)| {
                    let terminating = ready == false;
                    json!({ "addresses": [address, "10.9.9.9"],
                            "conditions": { "ready": ready, "terminating": terminating } })
                })
                .collect();
            let slice = json!({ "addressType": kind, "ports": ports, "endpoints": endpoints });
            serde_json::from_value(slice).unwrap()
        };
        let http = |port: u16| json!([{ "name": "http", "port": port, "protocol": "TCP" }]);
        let slices = [
            slice("IPv4", http(8080), &[("10.0.0.1", json!(false)), ("10.0.0.2", json!(true))]),
            // The same again, alive; and on another port.
            slice("IPv4", http(8080), &[("10.0.0.1", json!(true))]),
            slice("IPv4", http(9090), &[("10.0.0.3", json!(null))]),
            slice("IPv6", http(8080), &[("fd00::1", json!(true))]),
            // Of no port, of another, of none that is one, of no address.
            slice("IPv4", json!(null), &[("10.0.0.4", json!(true))]),
            slice(
                "IPv4",
                json!([{ "name": "dns", "port": 53, "protocol": "UDP" }]),
                &[("10.0.0.5", json!(true))],
            ),
            slice("IPv4", json!([{ "name": "http", "port": null }]), &[("10.0.0.6", json!(true))]),
            slice("IPv4", http(8080), &[("not", json!(true)), ("fd00::2", json!(true))]),
            slice("FQDN", http(8080), &[("10.0.0.7", json!(true))]),
        ];
        let slices: Vec<&EndpointSlice> = slices.iter().collect();
        let words = |is_ipv6, name: Option<&str>, protocol| {
            let places = gather(&slices, is_ipv6, name, protocol);
            let words =
                places.iter().map(|one| format!("{} {} {}", one.address, one.port, one.is_ready()));
            words.collect::<Vec<_>>()
        };
        assert_eq!(
            words(false, Some("http"), "TCP"),
            ["10.0.0.1 8080 true", "10.0.0.2 8080 true", "10.0.0.3 9090 true"]
        );
        assert_eq!(words(true, Some("http"), "TCP"), ["fd00::1 8080 true"]);
        assert_eq!(words(false, Some("dns"), "UDP"), ["10.0.0.5 53 true"]);
        assert!(
            words(false, Some("dns"), "TCP").is_empty() && words(false, None, "TCP").is_empty()
        );
    }
}
