//! The rules that kube-proxy's iptables mode writes for services, chain by chain, so that scenarios need no Kubernetes.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::command::cmd;
use super::failure::Failure;

/// A service and what it leads to.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// Ends the names of its chains.
    pub(crate) name: &'static str,
    /// `tcp` or `udp`.
    pub(crate) protocol: &'static str,
    /// Its clusterIP and port.
    pub(crate) at: SocketAddr,
    /// Where its backends listen.
    pub(crate) endpoints: Vec<SocketAddr>,
}

impl Service {
    /// A TCP service; the addresses are written as in a URL, IPv6 in brackets.
    pub(crate) fn tcp(name: &'static str, at: &str, endpoints: &[&str]) -> Result<Self, Failure> {
        Self::new(name, "tcp", at, endpoints)
    }

    /// A UDP service.
    pub(crate) fn udp(name: &'static str, at: &str, endpoints: &[&str]) -> Result<Self, Failure> {
        Self::new(name, "udp", at, endpoints)
    }

    fn new(
        name: &'static str,
        protocol: &'static str,
        at: &str,
        endpoints: &[&str],
    ) -> Result<Self, Failure> {
        let parse = |text: &str| {
            text.parse::<SocketAddr>()
                .map_err(|error| Failure::unmet(format!("{text} is an address with a port"), error))
        };
        let endpoints = endpoints.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
        Ok(Self { name, protocol, at: parse(at)?, endpoints })
    }
}

/// What kube-proxy masquerades besides hairpin traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Masquerade {
    /// Only hairpins: kube-proxy was not told what is local to the cluster.
    HairpinOnly,
    /// Whatever does not come from a pod (`--cluster-cidr`).
    FromOutside,
}

/// Writes the rules, IPv4 and IPv6.
pub(crate) fn install(services: &[Service], masquerade: Masquerade) -> Result<(), Failure> {
    let wanted = |v4: bool| services.iter().filter(move |service| service.at.is_ipv4() == v4);
    let v4 = rules(wanted(true), masquerade, "10.244.0.0/16");
    let v6 = rules(wanted(false), masquerade, "fd00:244::/32");
    cmd("iptables-restore --noflush").stdin(v4).ok()?;
    cmd("ip6tables-restore --noflush").stdin(v6).ok().map(drop)
}

/// The text for iptables-restore. The names, marks and order are kube-proxy's.
fn rules<'a>(
    services: impl Iterator<Item = &'a Service>,
    masquerade: Masquerade,
    pods: &str,
) -> String {
    let mut chains = String::from(
        "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-POSTROUTING - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n",
    );
    let mut rules = String::from(
        "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n\
         -A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n\
         -A POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING\n\
         -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n\
         -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000\n\
         -A KUBE-POSTROUTING -j MASQUERADE --random-fully\n\
         -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000\n",
    );
    for service in services {
        let (name, protocol) = (service.name, service.protocol);
        let portal = format!(
            "-d {} -p {protocol} -m {protocol} --dport {}",
            host_route(service.at.ip()),
            service.at.port()
        );
        let _ = writeln!(chains, ":KUBE-SVC-{name} - [0:0]");
        let _ = writeln!(rules, "-A KUBE-SERVICES {portal} -j KUBE-SVC-{name}");
        if masquerade == Masquerade::FromOutside {
            let _ = writeln!(rules, "-A KUBE-SVC-{name} ! -s {pods} {portal} -j KUBE-MARK-MASQ");
        }
        endpoint_rules(service, &mut chains, &mut rules);
    }
    format!("{chains}{rules}COMMIT\n")
}

fn endpoint_rules(service: &Service, chains: &mut String, rules: &mut String) {
    let (name, protocol) = (service.name, service.protocol);
    let count = service.endpoints.len();
    for (index, endpoint) in service.endpoints.iter().enumerate() {
        let left = count - index;
        let chance = if left == 1 {
            String::new()
        } else {
            let chance = 1.0 / f64::from(u32::try_from(left).unwrap_or(u32::MAX));
            format!("-m statistic --mode random --probability {chance:.10} ")
        };
        let _ = writeln!(chains, ":KUBE-SEP-{name}{index} - [0:0]");
        let _ = writeln!(rules, "-A KUBE-SVC-{name} {chance}-j KUBE-SEP-{name}{index}");
        let hairpin = host_route(endpoint.ip());
        let _ = writeln!(rules, "-A KUBE-SEP-{name}{index} -s {hairpin} -j KUBE-MARK-MASQ");
        let _ = writeln!(
            rules,
            "-A KUBE-SEP-{name}{index} -p {protocol} -m {protocol} -j DNAT --to-destination {endpoint}"
        );
    }
}

fn host_route(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_endpoints_share_and_the_last_takes_the_rest() {
        let service =
            Service::tcp("WEB", "10.96.0.10:80", &["10.244.1.2:8080", "10.244.1.3:8080"]).unwrap();
        let text = rules([&service].into_iter(), Masquerade::FromOutside, "10.244.0.0/16");
        for line in [
            "-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-WEB",
            "-A KUBE-SVC-WEB ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ",
            "-A KUBE-SVC-WEB -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-WEB0",
            "-A KUBE-SVC-WEB -j KUBE-SEP-WEB1",
            "-A KUBE-SEP-WEB1 -p tcp -m tcp -j DNAT --to-destination 10.244.1.3:8080",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn ipv6_is_written_as_iptables_reads_it() {
        let service = Service::udp("DNS", "[fd00:96::a]:53", &["[fd00:244:1::2]:5353"]).unwrap();
        let text = rules([&service].into_iter(), Masquerade::HairpinOnly, "fd00:244::/32");
        assert!(text.contains("-d fd00:96::a/128 -p udp -m udp --dport 53"), "{text}");
        assert!(text.contains("--to-destination [fd00:244:1::2]:5353"), "{text}");
        assert!(!text.contains("! -s"), "{text}");
    }
}
