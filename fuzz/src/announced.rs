//! What a cluster says its services are, as strangers may have written it into the cluster: read, and decided for a sandbox with and without a
//! pair.

use std::{collections::BTreeSet, sync::Arc};

use vfhook::{
    config::{self, Announced, Config, announcement, parse_announced},
    plan::{publication, step::Translate},
    types::{Protocol, Reach, Service},
};

use super::scene::{assert_line, parse};

/// A network, and a service of the operator's own.
const CONFIGURATION: &str = r#"version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
[[service]]
name = "own"
address = "10.97.0.10"
ports = [5432]
backends = [{ address = "192.168.0.20" }]
[service_path]
mode = "both"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

thread_local! {
    static CONFIGS: [Config; 2] = ["both", "inside"].map(|mode| {
        let text = CONFIGURATION.replacen("\"both\"", &format!("\"{mode}\""), 1);
        config::parse(&text).unwrap()
    });
    static REACH: Reach = {
        let network = parse("storage");
        let addresses = [parse("192.168.0.16/24"), parse("fd00:10::100/64")];
        Reach::of(addresses.iter().map(|address| (&network, address)))
    };
}

/// What is accepted means the same written down again, and a sandbox gets of it only what it may.
pub fn read(data: &[u8]) {
    let services = match parse_announced(data) {
        Ok(services) => services,
        Err(problems) => {
            assert!(!problems.is_empty(), "refused for no reason");
            return problems.iter().for_each(|problem| assert_line(&problem.to_string()));
        }
    };
    let again = parse_announced(&announcement(&services)).unwrap();
    let ports = |all: &[config::AnnouncedService]| -> BTreeSet<Service> {
        all.iter().flat_map(|one| one.service.ports.clone()).collect()
    };
    assert_eq!(ports(&again), ports(&services));
    let announced = Announced::Known(Arc::new(services));
    CONFIGS.with(|configs| {
        for config in configs {
            let config = Config { announced: announced.clone(), ..config.clone() };
            REACH.with(|reach| assert_only_what_it_may(&config, reach));
        }
    });
}

fn assert_only_what_it_may(config: &Config, reach: &Reach) {
    let published = publication(config, &config.service_path.place, reach);
    let Translate::Publish { services, .. } = published else { panic!("{published:?}") };
    let own = (parse("10.97.0.10"), 5432, Protocol::Tcp);
    let mut seen = BTreeSet::new();
    for service in &services {
        let key = (service.address, service.port, service.protocol);
        assert!(seen.insert(key), "two of {service}");
        // What the operator said of it stays; and nobody on the wire is shut out.
        assert!(key != own || service.backends.len() == 1, "{service:?}");
        assert!(!reach.has(service.address), "{service}");
        let cidrs = &config.service_path.cidrs;
        for backend in &service.backends {
            assert_eq!(backend.address.is_ipv6(), service.address.is_ipv6(), "{service:?}");
            assert_ne!(backend.port, 0, "{service:?}");
            let is_led_to = reach.has(backend.address)
                || backend.weight == 0
                || cidrs.iter().any(|cidr| cidr.contains(&backend.address));
            assert!(is_led_to || !config.service_path.mode.has_pair(), "{service:?}");
        }
    }
}
