//! Which services a sandbox sees as backends: those that have some on its own networks. Decides by what was configured and given, and never
//! by asking the wire.

use super::step::Translate;
use crate::{
    config::{Config, ConfiguredService, Mixed, ServicePathMode},
    types::{Backend, Name, Reach, Service, TranslationPlace},
};

/// They, in their order.
fn translated(config: &Config, reach: &Reach) -> Vec<Service> {
    let is_meant = |service: &&ConfiguredService| is_translated(config, reach, service);
    let services = config.services.values().filter(is_meant);
    let mut translated: Vec<Service> =
        services.flat_map(|service| service.ports.iter().cloned()).collect();
    translated.sort();
    translated
}

/// What gives all whose reach this is the services that the configuration has for them, in a mode that translates.
pub fn publication(config: &Config, place: &TranslationPlace, reach: &Reach) -> Translate {
    let services = translated(config, reach);
    Translate::Publish { place: place.clone(), reach: reach.clone(), services }
}

/// In a mode that translates: the whole of it or nothing. Half of its connections translated would give its backends unfair shares.
fn is_translated(config: &Config, reach: &Reach, service: &ConfiguredService) -> bool {
    let path = &config.service_path;
    let own = || reach.iter().filter(|(name, _)| is_on(service, name));
    if own().next().is_none() {
        return false;
    }
    let Some(first) = service.ports.first() else { return false };
    let all = first.backends.len();
    let is_on_wire =
        |backend: &&Backend| own().any(|(_, prefix)| prefix.contains(&backend.address));
    let on_wire = first.backends.iter().filter(is_on_wire);
    match on_wire.count() {
        // Nobody serves it. Where the host may know better, the host is asked.
        0 if all == 0 => path.mode == ServicePathMode::Inside,
        0 => false,
        count => count == all || path.mixed == Mixed::Translate,
    }
}

fn is_on(service: &ConfiguredService, network: &Name) -> bool {
    service.networks.is_empty() || service.networks.contains(network)
}

#[cfg(test)]
mod tests {
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

    fn seen(path: &str, network: &str, address: &str) -> Vec<String> {
        let text = format!("{BEFORE}[service_path]\n{path}\n");
        let config = config::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
        let (network, address) = (network.parse().unwrap(), address.parse().unwrap());
        let reach = Reach::of([(&network, &address)]);
        translated(&config, &reach).iter().map(ToString::to_string).collect()
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
}
