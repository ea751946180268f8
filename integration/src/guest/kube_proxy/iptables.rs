//! The rules that kube-proxy's iptables mode writes, chain by chain: the names, marks and order are its own. It must not know over which
//! tables iptables works.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::{Family, Masquerade, STICKY_SECONDS, Service, host_route};
use crate::guest::command::cmd;
use crate::guest::failure::Failure;

/// The jumps from the kernel's own chains.
const NAT_JUMPS: &str = "\
-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING
";
const FILTER_JUMPS: &str = "\
-A INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD
-A OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES
";
const NAT_CHAINS: &str = "\
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
";
const NAT_RULES: &str = "\
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
";
const FILTER_CHAINS: &str = "\
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
";
/// The first of them drops what conntrack has not seen the beginning of: traffic that is one-sided on this node does not pass.
const FORWARD_RULES: &str = "\
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
";

/// Writes the rules of one family with the iptables programs of this ending.
pub(super) fn lay(family: &Family, ending: &str) -> Result<(), Failure> {
    let program = format!("{}{ending}", family.of(["iptables", "ip6tables"]));
    let jumps = if has_jumps(&program)? { ["", ""] } else { [NAT_JUMPS, FILTER_JUMPS] };
    restore(&program, &rules(family, jumps))
}

/// Whether the jumps are there already: what is restored without a flush is added to the kernel's own chains.
pub(super) fn has_jumps(program: &str) -> Result<bool, Failure> {
    let saved = cmd(&format!("{program}-save -t nat")).ok()?;
    Ok(saved.stdout.contains("-j KUBE-POSTROUTING"))
}

/// Replaces the chains that the text declares and leaves all others.
pub(super) fn restore(program: &str, text: &str) -> Result<(), Failure> {
    cmd(&format!("{program}-restore --noflush")).stdin(text).ok().map(drop)
}

/// The text for iptables-restore.
fn rules(family: &Family, [nat_jumps, filter_jumps]: [&str; 2]) -> String {
    let mut nat = Table::default();
    let mut rejects = String::new();
    for service in &family.services {
        if service.endpoints.is_empty() {
            reject(service, &mut rejects);
        } else {
            nat.service(family, service);
        }
    }
    let node_ports = "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n";
    format!(
        "*nat\n{NAT_CHAINS}{}{nat_jumps}{NAT_RULES}{}{node_ports}COMMIT\n\
         *filter\n{FILTER_CHAINS}{filter_jumps}{FORWARD_RULES}{rejects}COMMIT\n",
        nat.chains, nat.rules
    )
}

/// What matches traffic to a service's own address.
fn portal(service: &Service) -> String {
    let protocol = service.protocol;
    format!(
        "-d {} -p {protocol} -m {protocol} --dport {}",
        host_route(service.at.ip()),
        service.at.port()
    )
}

/// A service with no endpoints answers at once that there is nobody.
fn reject(service: &Service, rules: &mut String) {
    let protocol = service.protocol;
    let _ = writeln!(rules, "-A KUBE-SERVICES {} -j REJECT", portal(service));
    if let Some(port) = service.node_port {
        let _ = writeln!(
            rules,
            "-A KUBE-EXTERNAL-SERVICES -p {protocol} -m addrtype --dst-type LOCAL \
             -m {protocol} --dport {port} -j REJECT"
        );
    }
}

/// Chains and rules as they come together.
#[derive(Debug, Default)]
struct Table {
    chains: String,
    rules: String,
}

impl Table {
    fn chain(&mut self, name: &str) {
        let _ = writeln!(self.chains, ":{name} - [0:0]");
    }

    fn rule(&mut self, chain: &str, rest: &str) {
        let _ = writeln!(self.rules, "-A {chain} {rest}");
    }

    fn service(&mut self, family: &Family, service: &Service) {
        let own = format!("KUBE-SVC-{}", service.name);
        let portal = portal(service);
        self.chain(&own);
        self.rule("KUBE-SERVICES", &format!("{portal} -j {own}"));
        match family.masquerade {
            Masquerade::HairpinOnly => {}
            Masquerade::FromOutside => {
                let rest = format!("! -s {} {portal} -j KUBE-MARK-MASQ", family.pods());
                self.rule(&own, &rest);
            }
            Masquerade::All => self.rule(&own, &format!("{portal} -j KUBE-MARK-MASQ")),
        }
        self.choice(service, &own);
        for (index, endpoint) in service.endpoints.iter().enumerate() {
            self.endpoint(service, index, *endpoint);
        }
        if let Some(port) = service.node_port {
            self.node_port(family, service, port);
        }
    }

    /// The rules that draw an endpoint.
    fn choice(&mut self, service: &Service, chain: &str) {
        let name = &service.name;
        if service.sticky {
            for index in 0..service.endpoints.len() {
                let sep = format!("KUBE-SEP-{name}{index}");
                let seen = format!("--name {sep} --rcheck --seconds {STICKY_SECONDS} --reap");
                self.rule(chain, &format!("-m recent {seen} -j {sep}"));
            }
        }
        for index in 0..service.endpoints.len() {
            let left = service.endpoints.len() - index;
            let chance = if left == 1 {
                String::new()
            } else {
                let chance = 1.0 / f64::from(u32::try_from(left).unwrap_or(u32::MAX));
                format!("-m statistic --mode random --probability {chance:.10} ")
            };
            self.rule(chain, &format!("{chance}-j KUBE-SEP-{name}{index}"));
        }
    }

    fn endpoint(&mut self, service: &Service, index: usize, endpoint: SocketAddr) {
        let own = format!("KUBE-SEP-{}{index}", service.name);
        let protocol = service.protocol;
        let hairpin = host_route(endpoint.ip());
        self.chain(&own);
        self.rule(&own, &format!("-s {hairpin} -j KUBE-MARK-MASQ"));
        let note =
            if service.sticky { format!("-m recent --name {own} --set ") } else { String::new() };
        self.rule(
            &own,
            &format!("-p {protocol} {note}-m {protocol} -j DNAT --to-destination {endpoint}"),
        );
    }

    fn node_port(&mut self, family: &Family, service: &Service, port: u16) {
        let protocol = service.protocol;
        let own = format!("KUBE-EXT-{}", service.name);
        let inner = format!("KUBE-SVC-{}", service.name);
        self.chain(&own);
        self.rule(
            "KUBE-NODEPORTS",
            &format!("-p {protocol} -m {protocol} --dport {port} -j {own}"),
        );
        if !service.keeps_clients {
            self.rule(&own, "-j KUBE-MARK-MASQ");
            self.rule(&own, &format!("-j {inner}"));
            return;
        }
        // Pods and the node itself are not outside.
        if family.masquerade == Masquerade::FromOutside {
            self.rule(&own, &format!("-s {} -j {inner}", family.pods()));
        }
        self.rule(&own, "-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ");
        self.rule(&own, &format!("-m addrtype --src-type LOCAL -j {inner}"));
        let local = format!("KUBE-SVL-{}", service.name);
        self.chain(&local);
        self.rule(&own, &format!("-j {local}"));
        self.choice(service, &local);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(services: &[&Service], ipv4: bool, masquerade: Masquerade) -> String {
        rules(&Family { ipv4, services: services.to_vec(), masquerade }, [NAT_JUMPS, FILTER_JUMPS])
    }

    #[test]
    fn two_endpoints_share_and_the_last_takes_the_rest() {
        let service =
            Service::tcp("WEB", "10.96.0.10:80", &["10.244.1.2:8080", "10.244.1.3:8080"]).unwrap();
        let text = text(&[&service], true, Masquerade::FromOutside);
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
        let text = text(&[&service], false, Masquerade::HairpinOnly);
        assert!(text.contains("-d fd00:96::a/128 -p udp -m udp --dport 53"), "{text}");
        assert!(text.contains("--to-destination [fd00:244:1::2]:5353"), "{text}");
        assert!(!text.contains("! -s"), "{text}");
    }

    #[test]
    fn nobody_there_is_a_refusal_and_not_a_chain() {
        let service = Service::tcp("NONE", "10.96.0.60:80", &[]).unwrap();
        let text = text(&[&service], true, Masquerade::All);
        assert!(text.contains("-d 10.96.0.60/32 -p tcp -m tcp --dport 80 -j REJECT"), "{text}");
        assert!(!text.contains("KUBE-SVC-NONE"), "{text}");
    }
}
