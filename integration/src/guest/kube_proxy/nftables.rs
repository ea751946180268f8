//! The table of kube-proxy's nftables mode: verdict maps from addresses to chains, a chain for each service and each endpoint. It must not
//! touch any other table.

use std::fmt::Write as _;

use super::{Family, Masquerade, STICKY_SECONDS, Service};
use crate::guest::command::cmd;
use crate::guest::failure::Failure;

/// The chains that are the same whatever services there are. `IP` stands for the family.
const BASE_CHAINS: &str = "
chain filter-input { type filter hook input priority -110; policy accept;
  ct state new jump nodeport-endpoints-check
  ct state new jump service-endpoints-check
}
chain filter-forward { type filter hook forward priority -110; policy accept;
  ct state new jump service-endpoints-check
  ct state new jump cluster-ips-check
}
chain filter-output { type filter hook output priority -110; policy accept;
  ct state new jump service-endpoints-check
}
chain filter-output-post-dnat { type filter hook output priority -90; policy accept;
  ct state new jump cluster-ips-check
}
chain nat-prerouting { type nat hook prerouting priority -100; policy accept; jump services; }
chain nat-output { type nat hook output priority -100; policy accept; jump services; }
chain nat-postrouting { type nat hook postrouting priority 100; policy accept; jump masquerading; }
chain cluster-ips-check { IP daddr @cluster-ips reject; }
chain service-endpoints-check { IP daddr . meta l4proto . th dport vmap @no-endpoint-services; }
chain nodeport-endpoints-check {
  IP daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
}
chain services {
  IP daddr . meta l4proto . th dport vmap @service-ips
  IP daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
}
chain reject-chain { reject; }
chain mark-for-masquerade { meta mark set meta mark or 0x4000; }
chain masquerading {
  meta mark & 0x4000 == 0 return
  meta mark set meta mark xor 0x4000
  masquerade fully-random
}
";

/// Puts the whole table in place at once, or another in its place.
pub(super) fn lay(family: &Family) -> Result<(), Failure> {
    cmd("nft -f -").stdin(text(family)).ok().map(drop)
}

fn text(family: &Family) -> String {
    let ip = family.of(["ip", "ip6"]);
    let address = family.of(["ipv4_addr", "ipv6_addr"]);
    let mut table = Table::default();
    for service in &family.services {
        table.service(family, service);
    }
    let sets = [
        set("cluster-ips", address, &table.cluster_ips),
        set("nodeport-ips", address, &[family.node().to_owned()]),
        map("no-endpoint-services", Some(address), &table.refused),
        map("no-endpoint-nodeports", None, &table.refused_ports),
        map("service-ips", Some(address), &table.services),
        map("service-nodeports", None, &table.ports),
    ];
    let base = BASE_CHAINS.replace("IP ", &format!("{ip} "));
    // Chains come before the maps that name them.
    format!(
        "add table {ip} kube-proxy\ndelete table {ip} kube-proxy\ntable {ip} kube-proxy {{\n{}\n{}\n{}{base}}}\n",
        table.affinity,
        table.chains,
        sets.concat()
    )
}

fn set(name: &str, kind: &str, elements: &[String]) -> String {
    format!("set {name} {{ type {kind}; {} }}\n", listed(elements))
}

fn map(name: &str, address: Option<&str>, elements: &[String]) -> String {
    let address = address.map_or_else(String::new, |address| format!("{address} . "));
    let kind = format!("{address}inet_proto . inet_service : verdict");
    format!("map {name} {{ type {kind}; {} }}\n", listed(elements))
}

/// An empty list of elements is a mistake to nft.
fn listed(elements: &[String]) -> String {
    if elements.is_empty() {
        return String::new();
    }
    let mut elements = elements.to_vec();
    elements.sort();
    elements.dedup();
    format!("elements = {{ {} }}", elements.join(", "))
}

/// What the services come to.
#[derive(Debug, Default)]
struct Table {
    chains: String,
    affinity: String,
    cluster_ips: Vec<String>,
    services: Vec<String>,
    ports: Vec<String>,
    refused: Vec<String>,
    refused_ports: Vec<String>,
}

impl Table {
    fn service(&mut self, family: &Family, service: &Service) {
        let (name, protocol) = (&service.name, service.protocol);
        let (ip, at) = (family.of(["ip", "ip6"]), service.at);
        let portal = format!("{} . {protocol} . {}", at.ip(), at.port());
        self.cluster_ips.push(at.ip().to_string());
        if service.endpoints.is_empty() {
            self.refused.push(format!("{portal} : goto reject-chain"));
            let ports = service.node_port.map(|p| format!("{protocol} . {p} : goto reject-chain"));
            self.refused_ports.extend(ports);
            return;
        }
        self.services.push(format!("{portal} : goto service-{name}"));
        for index in 0..service.endpoints.len() {
            self.endpoint(family, service, index);
        }
        let to_it = format!("{ip} daddr {} {protocol} dport {}", at.ip(), at.port());
        let mark = match family.masquerade {
            Masquerade::HairpinOnly => String::new(),
            Masquerade::FromOutside => {
                format!("{to_it} {ip} saddr != {} jump mark-for-masquerade\n", family.pods())
            }
            Masquerade::All => format!("{to_it} jump mark-for-masquerade\n"),
        };
        let choice = choice(family, service);
        let _ = writeln!(self.chains, "chain service-{name} {{\n{mark}{choice}}}");
        if let Some(port) = service.node_port {
            self.ports.push(format!("{protocol} . {port} : goto external-{name}"));
            let rules = external(family, service, &choice);
            let _ = writeln!(self.chains, "chain external-{name} {{\n{rules}}}");
        }
    }

    fn endpoint(&mut self, family: &Family, service: &Service, index: usize) {
        let Some(endpoint) = service.endpoints.get(index) else { return };
        let (name, protocol) = (&service.name, service.protocol);
        let ip = family.of(["ip", "ip6"]);
        let note = if service.sticky {
            let kind = family.of(["ipv4_addr", "ipv6_addr"]);
            let _ = writeln!(
                self.affinity,
                "set affinity-{name}{index} {{ type {kind}; flags dynamic,timeout; timeout {STICKY_SECONDS}s; }}"
            );
            format!("update @affinity-{name}{index} {{ {ip} saddr }}\n")
        } else {
            String::new()
        };
        let _ = writeln!(
            self.chains,
            "chain endpoint-{name}{index} {{\n{ip} saddr {} jump mark-for-masquerade\n{note}\
             meta l4proto {protocol} dnat to {endpoint}\n}}",
            endpoint.ip()
        );
    }
}

/// The rules that draw an endpoint.
fn choice(family: &Family, service: &Service) -> String {
    let name = &service.name;
    let ip = family.of(["ip", "ip6"]);
    let mut rules = String::new();
    let count = service.endpoints.len();
    if service.sticky {
        for index in 0..count {
            let _ =
                writeln!(rules, "{ip} saddr @affinity-{name}{index} goto endpoint-{name}{index}");
        }
    }
    let drawn: Vec<String> =
        (0..count).map(|index| format!("{index} : goto endpoint-{name}{index}")).collect();
    let _ = writeln!(rules, "numgen random mod {count} vmap {{ {} }}", drawn.join(", "));
    rules
}

/// What comes by the node's port.
fn external(family: &Family, service: &Service, choice: &str) -> String {
    let (name, ip) = (&service.name, family.of(["ip", "ip6"]));
    if !service.keeps_clients {
        return format!("jump mark-for-masquerade\ngoto service-{name}\n");
    }
    // Pods and the node itself are not outside.
    let pods = if family.masquerade == Masquerade::FromOutside {
        format!("{ip} saddr {} goto service-{name}\n", family.pods())
    } else {
        String::new()
    };
    format!(
        "{pods}fib saddr type local jump mark-for-masquerade\n\
         fib saddr type local goto service-{name}\n{choice}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_a_chain_or_to_a_refusal() {
        let web = Service::tcp("WEB", "10.96.0.10:80", &["10.244.1.2:8080"]).unwrap();
        let none = Service::udp("NONE", "10.96.0.60:53", &[]).unwrap();
        let family =
            Family { ipv4: true, services: vec![&web, &none], masquerade: Masquerade::FromOutside };
        let text = text(&family);
        for part in [
            "10.96.0.10 . tcp . 80 : goto service-WEB",
            "10.96.0.60 . udp . 53 : goto reject-chain",
            "ip daddr 10.96.0.10 tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade",
            "meta l4proto tcp dnat to 10.244.1.2:8080",
            "chain cluster-ips-check { ip daddr @cluster-ips reject; }",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
    }
}
