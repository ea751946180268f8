//! Which services a sandbox sees as backends: those that have some on its own networks. Decides by what was configured and given, and never
//! by asking the wire.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use super::step::Translate;
use crate::{
    config::{Announced, AnnouncedService, Config, ConfiguredService, Mixed, ServicePathMode},
    types::{Backend, Conversation, Name, Protocol, Reach, Service, TranslationPlace},
};

/// They, in their order. What an operator says of an address and a port is not asked of a cluster.
fn translated(config: &Config, reach: &Reach) -> Vec<Service> {
    let own: Vec<&ConfiguredService> = config.services.values().collect();
    let key = |port: &Service| (port.address, port.port, port.protocol);
    let said: BTreeSet<_> = own.iter().flat_map(|one| &one.ports).map(key).collect();
    let told = announced(config).iter().map(|one| &one.service).filter(|one| {
        let is_other = |port: &Service| !said.contains(&key(port)) && !reach.has(port.address);
        one.ports.iter().all(is_other)
    });
    let own = own.into_iter().filter(|one| is_translated(config, reach, one));
    let told = told.filter(|one| is_translated(config, reach, one) && all_lead(config, reach, one));
    let mut translated: Vec<Service> = own.chain(told).flat_map(|one| ports(reach, one)).collect();
    if !config.service_path.mode.has_pair() {
        translated.extend(other_ports(&translated));
    }
    translated.sort();
    translated
}

/// Nobody serves the other ports of these addresses, and nothing leads to who could refuse them.
fn other_ports(services: &[Service]) -> Vec<Service> {
    let addresses: BTreeSet<IpAddr> = services.iter().map(|service| service.address).collect();
    addresses.into_iter().map(Service::other_ports).collect()
}

/// None where nobody knows them.
fn announced(config: &Config) -> &[AnnouncedService] {
    match &config.announced {
        Announced::Known(services) => services,
        Announced::Unknown => &[],
    }
}

/// What gives all whose reach this is the services that the configuration has for them, in a mode that translates.
pub fn publication(config: &Config, place: &TranslationPlace, reach: &Reach) -> Translate {
    let services = translated(config, reach);
    Translate::Publish { place: place.clone(), reach: reach.clone(), services }
}

/// The conversations with backends that none of these services has any more. Who has no weight serves whom he has; who is gone serves nobody,
/// and a socket that is connected to him would not hear of it.
pub fn lost(services: &[Service], mut conversations: Vec<Conversation>) -> Vec<Conversation> {
    let udp = services.iter().filter(|service| service.protocol == Protocol::Udp);
    let serve: BTreeSet<SocketAddr> = { udp.flat_map(|service| &service.backends) }
        .map(|backend| SocketAddr::new(backend.address, backend.port))
        .collect();
    conversations.retain(|one| !serve.contains(&one.with()));
    conversations
}

/// In a mode that translates: the whole of it or nothing. Half of its connections translated would give its backends unfair shares.
fn is_translated(config: &Config, reach: &Reach, service: &ConfiguredService) -> bool {
    let path = &config.service_path;
    if !reach.iter().any(|(name, _)| is_on(service, name)) {
        return false;
    }
    let Some(first) = service.ports.first() else { return false };
    // Who takes no new clients has no share of them, unless nobody takes any.
    let takes_some = first.backends.iter().any(takes);
    let counts = || first.backends.iter().filter(|backend| takes(backend) || !takes_some);
    let all = counts().count();
    let is_wired = |backend: &&Backend| on_wire(reach, service, backend.address).is_some();
    match counts().filter(is_wired).count() {
        // Nobody serves it. Where the host may know better, the host is asked.
        0 if all == 0 => path.mode == ServicePathMode::Inside,
        0 => false,
        count => count == all || path.mixed == Mixed::Translate,
    }
}

/// Whether backends elsewhere are reached by the pair, where there is one. Of a cluster's pods nobody said that a card leads to them.
fn all_lead(config: &Config, reach: &Reach, service: &ConfiguredService) -> bool {
    let path = &config.service_path;
    let mut backends =
        service.ports.iter().flat_map(|port| &port.backends).filter(|one| takes(one));
    !path.mode.has_pair()
        || backends.all(|backend| {
            on_wire(reach, service, backend.address).is_some()
                || path.cidrs.iter().any(|cidr| cidr.contains(&backend.address))
        })
}

/// Whether a backend takes new clients.
fn takes(backend: &Backend) -> bool {
    backend.weight > 0
}

/// Its ports, with each backend by the address that the client reaches it by.
fn ports(reach: &Reach, service: &ConfiguredService) -> Vec<Service> {
    let mut ports = service.ports.clone();
    for backend in ports.iter_mut().flat_map(|port| &mut port.backends) {
        backend.address = on_wire(reach, service, backend.address).unwrap_or(backend.address);
    }
    ports
}

/// The address by which a backend is on a network of the client's own.
fn on_wire(reach: &Reach, service: &ConfiguredService, backend: IpAddr) -> Option<IpAddr> {
    let mut own = reach.iter().filter(|(name, _)| is_on(service, name));
    // Whoever knows what networks it is on knows it better than its number tells.
    let Some(places) = service.on.get(&backend) else {
        return own.any(|(_, prefix)| prefix.contains(&backend)).then_some(backend);
    };
    own.find_map(|(name, prefix)| {
        let is_there =
            |(network, address): &&(Name, IpAddr)| network == name && prefix.contains(address);
        places.iter().find(is_there).map(|(_, address)| *address)
    })
}

fn is_on(service: &ConfiguredService, network: &Name) -> bool {
    service.networks.is_empty() || service.networks.contains(network)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::config;

    const BEFORE: &str = r#"version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]
[[network]]
name = "other"
pool = "fast"
interface = "net2"
addresses = ["192.168.0.16-192.168.0.250/24"]
[[service]]
name = "all"
address = "10.97.0.1"
ports = [80]
backends = [{ address = "192.168.0.20" }, { address = "192.168.0.21" }]
[[service]]
name = "none"
address = "10.97.0.2"
ports = [80]
backends = [{ address = "10.244.0.20" }]
[[service]]
name = "mixed"
address = "10.97.0.3"
ports = [80]
backends = [{ address = "192.168.0.20" }, { address = "10.244.0.21" }]
[[service]]
name = "empty"
address = "10.97.0.4"
ports = [80]
[[service]]
name = "storages"
address = "10.97.0.5"
ports = [80, 443]
network = ["storage"]
backends = [{ address = "192.168.0.20" }]
"#;

    const PAIR: &str =
        "cidrs = [\"10.96.0.0/12\"]\ninterface = \"svc0\"\nsource = [\"169.254.96.0/20\"]\n";

    fn parsed(path: &str) -> Config {
        let text = format!("{BEFORE}[service_path]\n{path}\n");
        config::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn by(network: &str, address: &str) -> Reach {
        let (network, address) = (network.parse().unwrap(), address.parse().unwrap());
        Reach::of([(&network, &address)])
    }

    fn seen(path: &str, network: &str, address: &str) -> Vec<String> {
        let services = translated(&parsed(path), &by(network, address));
        services.iter().filter(|one| one.port > 0).map(ToString::to_string).collect()
    }

    #[test]
    fn other_ports_of_services_are_refused_where_nothing_leads_to_the_host() {
        let other_ports = |path: &str| {
            let services = translated(&parsed(path), &by("storage", "192.168.0.16/24"));
            let others = services.iter().filter(|one| one.port == 0);
            others.map(ToString::to_string).collect::<Vec<_>>()
        };
        let expected = [1, 3, 4, 5].map(|number| format!("10.97.0.{number} (other ports)"));
        assert_eq!(other_ports("mode = \"inside\""), expected);
        assert_eq!(other_ports(&format!("mode = \"both\"\n{PAIR}")), [""; 0]);
    }

    /// A cluster's services, each `address: backend, backend…`, a backend `address` or `address=network:address`; what becomes of them.
    fn told(path: &str, services: &[&str]) -> Vec<String> {
        let on = |words: &str| {
            let (network, address) = words.split_once(':').unwrap();
            format!(r#","on":[{{"network":"{network}","address":"{address}"}}]"#)
        };
        let backend = |words: &str| {
            let (address, at) = words.split_once('=').unzip();
            let (address, on) = (address.unwrap_or(words), at.map(on).unwrap_or_default());
            format!(r#"{{"address":"{address}","port":80{on}}}"#)
        };
        let service = |words: &&str| {
            let (address, backends) = words.split_once(": ").unwrap();
            let backends: Vec<String> =
                backends.split(", ").filter(|one| !one.is_empty()).map(backend).collect();
            format!(
                r#"{{"namespace":"a","name":"b","address":"{address}","protocol":"tcp","ports":[80],"backends":[{}]}}"#,
                backends.join(",")
            )
        };
        let services: Vec<String> = services.iter().map(service).collect();
        let text = format!(r#"{{"version":1,"service":[{}]}}"#, services.join(","));
        let announced = config::parse_announced(text.as_bytes()).unwrap();
        let config = Config {
            services: BTreeMap::new(),
            announced: Announced::Known(Arc::new(announced)),
            ..parsed(path)
        };
        let words = |service: &Service| {
            let backends = service.backends.iter().map(|backend| backend.address.to_string());
            format!("{}: {}", service.address, backends.collect::<Vec<_>>().join(", "))
        };
        let services = translated(&config, &by("storage", "192.168.0.16/24"));
        services.iter().filter(|one| one.port > 0).map(words).collect()
    }

    #[test]
    fn a_service_is_translated_whole_or_not_at_all() {
        let storage = |path: &str| seen(path, "storage", "192.168.0.16/24");
        let [all, mixed, empty] = [1, 3, 4].map(|number| format!("10.97.0.{number}:80/tcp"));
        let own = ["10.97.0.5:80/tcp", "10.97.0.5:443/tcp"].map(str::to_owned);
        let with_own = |those: &[&String]| {
            those.iter().map(|one| (*one).clone()).chain(own.clone()).collect::<Vec<_>>()
        };
        assert_eq!(storage("mode = \"inside\""), with_own(&[&all, &mixed, &empty]));
        let both = format!("mode = \"both\"\n{PAIR}");
        assert_eq!(storage(&both), with_own(&[&all, &mixed]));
        assert_eq!(storage(&format!("{both}mixed = \"veth\"")), with_own(&[&all]));
    }

    #[test]
    fn who_is_on_another_network_sees_another_view() {
        // The same numbers on another wire: what says whose it is, is not for them.
        let other = seen("mode = \"inside\"", "other", "192.168.0.16/24");
        assert_eq!(other, ["10.97.0.1:80/tcp", "10.97.0.3:80/tcp", "10.97.0.4:80/tcp"]);
        // Nothing of theirs is on its wire but what nobody serves.
        assert_eq!(seen("mode = \"inside\"", "other", "172.16.0.1/24"), ["10.97.0.4:80/tcp"]);
    }

    #[test]
    fn a_backend_is_reached_by_its_address_on_the_clients_own_network() {
        let both = format!("mode = \"both\"\n{PAIR}");
        for (service, expected) in [
            ("10.96.0.1: 10.244.0.5=storage:192.168.0.20", Some("10.96.0.1: 192.168.0.20")),
            // On another network, or of another subnet of the same: another wire.
            ("10.96.0.1: 10.244.0.5=other:192.168.0.20", None),
            ("10.96.0.1: 10.244.0.5=storage:192.168.1.20", None),
            // Its own address counts for nothing where its networks are known.
            ("10.96.0.1: 192.168.0.20=other:192.168.0.20", None),
            ("10.96.0.1: 192.168.0.20", Some("10.96.0.1: 192.168.0.20")),
            ("10.96.0.1: 10.244.0.5", None),
            ("10.96.0.1: ", None),
            // Elsewhere, and nothing leads there but by chance.
            ("10.96.0.1: 10.244.0.5=storage:192.168.0.20, 10.244.0.6", None),
            // The pair leads there.
            (
                "10.96.0.1: 10.244.0.5=storage:192.168.0.20, 10.99.0.6",
                Some("10.96.0.1: 192.168.0.20, 10.99.0.6"),
            ),
            // Somebody on the wire may have it.
            ("192.168.0.99: 10.244.0.5=storage:192.168.0.20", None),
        ] {
            let expected: Vec<&str> = expected.into_iter().collect();
            assert_eq!(told(&both, &[service]), expected, "{service}");
        }
        let inside = "mode = \"inside\"";
        assert_eq!(told(inside, &["10.96.0.1: "]), ["10.96.0.1: "]);
        let mixed = "10.96.0.1: 10.244.0.5=storage:192.168.0.20, 10.244.0.6";
        assert_eq!(told(inside, &[mixed]), ["10.96.0.1: 192.168.0.20, 10.244.0.6"]);
    }

    #[test]
    fn who_takes_no_new_clients_has_no_share_of_them() {
        let drained = |which: &[usize]| {
            let mut config = parsed(&format!("mode = \"both\"\n{PAIR}mixed = \"veth\""));
            let mixed = config.services.get_mut(&"mixed".parse().unwrap()).unwrap();
            for at in which {
                mixed.ports[0].backends[*at].weight = 0;
            }
            let services = translated(&config, &by("storage", "192.168.0.16/24"));
            services.iter().any(|one| one.to_string() == "10.97.0.3:80/tcp")
        };
        // One on the wire and one elsewhere, then only one of them, then none that takes any.
        assert_eq!([&[][..], &[1], &[0], &[0, 1]].map(drained), [false, true, false, false]);
    }

    #[test]
    fn sockets_are_freed_of_whom_no_service_has() {
        let backend = |text: &str, weight| {
            let at: SocketAddr = text.parse().unwrap();
            Backend { address: at.ip(), port: at.port(), weight }
        };
        let service = |protocol, backends: Vec<Backend>| Service {
            address: "10.97.0.1".parse().unwrap(),
            port: 53,
            protocol,
            backends,
            affinity: None,
        };
        let services = [
            service(
                Protocol::Udp,
                vec![backend("192.168.0.20:53", 1), backend("192.168.0.21:53", 0)],
            ),
            service(Protocol::Tcp, vec![backend("192.168.0.22:53", 1)]),
        ];
        let with = |text: &str| Conversation {
            backend: text.parse().unwrap(),
            local: "192.168.0.16:40000".parse().unwrap(),
            device: 0,
            cookie: 1,
        };
        let stay = ["192.168.0.20:53", "192.168.0.21:53", "[::ffff:192.168.0.20]:53"];
        // Another port of it, one that serves by TCP alone, and whom nobody knows.
        let gone = ["192.168.0.20:54", "192.168.0.22:53", "[::ffff:192.168.0.23]:53"];
        let all = [gone, stay].concat().into_iter().map(with).collect();
        let found = lost(&services, all);
        assert_eq!(found, gone.map(with));
        assert_eq!(
            Translate::End { conversations: found }.sentence(),
            "free 3 UDP sockets of 192.168.0.20:54 192.168.0.22:53 192.168.0.23:53"
        );
    }

    #[test]
    fn what_an_operator_says_is_not_asked_of_a_cluster() {
        let text = r#"{"version":1,"service":[
            {"namespace":"a","name":"b","address":"10.97.0.1","protocol":"tcp","ports":[80],
             "backends":[{"address":"192.168.0.99","port":1}]},
            {"namespace":"a","name":"b","address":"10.97.0.1","protocol":"udp","ports":[80],
             "backends":[{"address":"192.168.0.99","port":1}]}]}"#;
        let announced = config::parse_announced(text.as_bytes()).unwrap();
        let config = Config {
            announced: Announced::Known(Arc::new(announced)),
            ..parsed("mode = \"inside\"")
        };
        let services = translated(&config, &by("storage", "192.168.0.16/24"));
        let of = |words: &str| services.iter().filter(|one| one.to_string() == words).count();
        assert_eq!((of("10.97.0.1:80/tcp"), of("10.97.0.1:80/udp")), (1, 1));
        let tcp = services.iter().find(|one| one.to_string() == "10.97.0.1:80/tcp").unwrap();
        assert_eq!(tcp.backends.len(), 2);
    }
}
