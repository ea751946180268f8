//! kube-proxy's IPVS mode: service addresses on a link of the node, virtual servers for them, and iptables with sets that only marks and
//! masquerades. It must not translate to backends itself: that is the kernel's part.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{Family, Masquerade, STICKY_SECONDS, Service, host_route, iptables};
use crate::guest::command::{cmd, script};
use crate::guest::failure::Failure;

/// The link that has the addresses. It stays down: an address is the node's own all the same.
const LINK: &str = "kube-ipvs0";

/// What kube-proxy demands of the kernel in this mode.
const SYSCTLS: [(&str, &str); 4] = [
    // Without it what IPVS sends cannot be masqueraded.
    ("conntrack", "1"),
    ("conn_reuse_mode", "0"),
    ("expire_nodest_conn", "1"),
    ("expire_quiescent_template", "1"),
];

const NAT_JUMPS: &str = "\
-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING
";
const FILTER_JUMPS: &str = "\
-A INPUT -j KUBE-IPVS-FILTER
-A FORWARD -j KUBE-FORWARD
";
/// `SET` stands for what begins the names of sets.
const NAT: &str = "\
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
-A KUBE-SERVICES -m set --match-set SET-CLUSTER-IP dst,dst -j ACCEPT
-A KUBE-NODE-PORT -p tcp -m set --match-set SET-NODE-PORT-LOCAL-TCP dst -j RETURN
-A KUBE-NODE-PORT -p tcp -m set --match-set SET-NODE-PORT-TCP dst -j KUBE-MARK-MASQ
-A KUBE-NODE-PORT -p udp -m set --match-set SET-NODE-PORT-LOCAL-UDP dst -j RETURN
-A KUBE-NODE-PORT -p udp -m set --match-set SET-NODE-PORT-UDP dst -j KUBE-MARK-MASQ
-A KUBE-POSTROUTING -m set --match-set SET-LOOP-BACK dst,dst,src -j MASQUERADE
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
COMMIT
";
const FILTER: &str = "\
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-IPVS-FILTER -m set --match-set SET-CLUSTER-IP dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set SET-IPVS-IPS dst -j REJECT
COMMIT
";

/// Makes it all, or, when it is there, only writes the rules: they are what a masquerade changes.
pub(super) fn lay(family: &Family) -> Result<(), Failure> {
    let program = family.of(["iptables", "ip6tables"]);
    let laid = iptables::has_jumps(program)?;
    if !laid {
        servers(family)?;
        cmd("ipset restore -exist").stdin(sets(family)).ok()?;
    }
    let jumps = if laid { ["", ""] } else { [NAT_JUMPS, FILTER_JUMPS] };
    iptables::restore(program, &rules(family, jumps))
}

fn servers(family: &Family) -> Result<(), Failure> {
    cmd("modprobe -a ip_vs ip_vs_rr").ok()?;
    for (name, value) in SYSCTLS {
        let path = format!("/proc/sys/net/ipv4/vs/{name}");
        fs::write(&path, value).map_err(Failure::file("write to", path))?;
    }
    if !Path::new("/sys/class/net").join(LINK).exists() {
        script(&[
            &format!("ip link add {LINK} type dummy"),
            &format!("ip link set {LINK} arp off"),
        ])?;
    }
    let mut addresses: Vec<String> = family
        .services
        .iter()
        .map(|service| {
            format!("address replace {} dev {LINK} nodad\n", host_route(service.at.ip()))
        })
        .collect();
    addresses.sort();
    addresses.dedup();
    cmd("ip -batch -").stdin(addresses.concat()).ok()?;
    cmd("ipvsadm --restore").stdin(virtual_servers(family)).ok().map(drop)
}

/// The text for ipvsadm: a service's address is one virtual server, the node's port another.
fn virtual_servers(family: &Family) -> String {
    let mut text = String::new();
    for service in &family.services {
        let kind = if service.protocol == "tcp" { "-t" } else { "-u" };
        let sticky = if service.sticky { format!(" -p {STICKY_SECONDS}") } else { String::new() };
        let node =
            if family.ipv4 { family.node().to_owned() } else { format!("[{}]", family.node()) };
        let on_node = service.node_port.map(|port| format!("{node}:{port}"));
        for at in [Some(service.at.to_string()), on_node].into_iter().flatten() {
            let _ = writeln!(text, "-A {kind} {at} -s rr{sticky}");
            for endpoint in &service.endpoints {
                let _ = writeln!(text, "-a {kind} {at} -r {endpoint} -m -w 1");
            }
        }
    }
    text
}

/// What the names of sets begin with.
fn prefix(family: &Family) -> &'static str {
    family.of(["KUBE", "KUBE-6"])
}

/// The text for ipset.
fn sets(family: &Family) -> String {
    let (set, inet) = (prefix(family), family.of(["inet", "inet6"]));
    let mut text = format!(
        "create {set}-CLUSTER-IP hash:ip,port family {inet}\n\
         create {set}-LOOP-BACK hash:ip,port,ip family {inet}\n\
         create {set}-IPVS-IPS hash:ip family {inet}\n"
    );
    for name in ["TCP", "UDP", "LOCAL-TCP", "LOCAL-UDP"] {
        let _ = writeln!(text, "create {set}-NODE-PORT-{name} bitmap:port range 0-65535");
    }
    for service in &family.services {
        members(set, service, &mut text);
    }
    text
}

fn members(set: &str, service: &Service, text: &mut String) {
    let (at, protocol) = (service.at, service.protocol);
    let _ = writeln!(text, "add {set}-CLUSTER-IP {},{protocol}:{}", at.ip(), at.port());
    let _ = writeln!(text, "add {set}-IPVS-IPS {}", at.ip());
    for endpoint in &service.endpoints {
        let (ip, port) = (endpoint.ip(), endpoint.port());
        let _ = writeln!(text, "add {set}-LOOP-BACK {ip},{protocol}:{port},{ip}");
    }
    if let Some(port) = service.node_port {
        let upper = protocol.to_uppercase();
        let _ = writeln!(text, "add {set}-NODE-PORT-{upper} {port}");
        if service.keeps_clients {
            let _ = writeln!(text, "add {set}-NODE-PORT-LOCAL-{upper} {port}");
        }
    }
}

/// The text for iptables-restore.
fn rules(family: &Family, [nat_jumps, filter_jumps]: [&str; 2]) -> String {
    let set = prefix(family);
    let mark = match family.masquerade {
        // Only what the node itself sends from a service's address, which it has.
        Masquerade::HairpinOnly => "-m set --match-set SET-CLUSTER-IP src,dst".to_owned(),
        Masquerade::FromOutside => {
            format!("! -s {} -m set --match-set SET-CLUSTER-IP dst,dst", family.pods())
        }
        Masquerade::All => "-m set --match-set SET-CLUSTER-IP dst,dst".to_owned(),
    };
    let chains = |names: &[&str]| -> String {
        names.iter().fold(String::new(), |text, name| text + ":KUBE-" + name + " - [0:0]\n")
    };
    let nat = chains(&["SERVICES", "NODE-PORT", "POSTROUTING", "MARK-MASQ"]);
    let filter = chains(&["FORWARD", "IPVS-FILTER"]);
    format!(
        "*nat\n{nat}{nat_jumps}-A KUBE-SERVICES {mark} -j KUBE-MARK-MASQ\n{NAT}\
         *filter\n{filter}{filter_jumps}{FILTER}"
    )
    .replace("SET-", &format!("{set}-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_server_and_a_member_of_sets() {
        let web = Service::tcp("WEB", "[fd00:96::10]:80", &["[fd00:244:1::2]:8080"]).unwrap();
        let web = web.on_node_port(30080);
        let family =
            Family { ipv4: false, services: vec![&web], masquerade: Masquerade::FromOutside };
        let servers = virtual_servers(&family);
        assert!(servers.contains("-a -t [fd00:96::10]:80 -r [fd00:244:1::2]:8080 -m"), "{servers}");
        assert!(servers.contains("-A -t [fd00:10::1]:30080 -s rr"), "{servers}");
        let sets = sets(&family);
        assert!(sets.contains("add KUBE-6-CLUSTER-IP fd00:96::10,tcp:80"), "{sets}");
        let rules = rules(&family, ["", ""]);
        assert!(rules.contains("! -s fd00:244::/32 -m set --match-set KUBE-6-CLUSTER-IP dst,dst"));
    }
}
