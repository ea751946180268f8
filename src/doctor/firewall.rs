//! Whether netfilter lets the service path through: nft is there, no chain that forwards drops what is ours, and there is
//! room for connections.
//!
//! A packet must pass every chain of the hook, of whatever table: what one accepts another may still drop.

use super::{Code, Facts, Finding, has_family};
use crate::{
    config::Config,
    inventory::{Chain, Family, Hook, Interfaces, Rule, Verdict},
};

/// Which way a packet goes between a sandbox and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the sandbox: the first packet of a connection.
    Out,
    /// Back to it: of a connection that is known.
    Back,
}

/// What a chain does with a packet of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Passes,
    /// It is dropped unless a rule accepts it that cannot be told by looking.
    Uncertain,
    Dropped,
}

/// Whether the kernel has what the masquerade table needs.
pub(super) fn nft_is_there(facts: &Facts, _: &Config) -> Vec<Finding> {
    if facts.host.chains.is_some() {
        return Vec::new();
    }
    let breaks =
        "the kernel has no nf_tables, so a service path cannot be masqueraded and attaching fails";
    let load = "modprobe -a nf_tables nft_chain_nat nft_masq".to_owned();
    vec![Finding::error(Code::NoNftables, "nf_tables", breaks).run([load])]
}

/// Whether a chain drops what goes between a sandbox and services. Two iptables may be at work, and both count.
pub(super) fn forward_chains(facts: &Facts, config: &Config) -> Vec<Finding> {
    let nft = facts.host.chains.iter().flatten().map(|chain| (chain, false));
    let all = nft.chain(facts.host.legacy_chains.iter().map(|chain| (chain, true)));
    let forward = all.filter(|(chain, _)| chain.hook == Some(Hook::Forward));
    let seen = |family: Family| {
        [false, true].iter().any(|ipv6| has_family(config, *ipv6) && family.sees(*ipv6))
    };
    forward
        .filter(|(chain, _)| seen(chain.family))
        .filter_map(|(chain, legacy)| obstacle(facts, chain, legacy))
        .collect()
}

fn obstacle(facts: &Facts, chain: &Chain, legacy: bool) -> Option<Finding> {
    let ways = [Way::Out, Way::Back].map(|way| (way, fate(chain, way)));
    let closed: Vec<Way> =
        ways.iter().filter(|(_, fate)| *fate > Fate::Passes).map(|(way, _)| *way).collect();
    let what = match closed[..] {
        [] => return None,
        [Way::Out] => "what containers send to services",
        [Way::Back] => "answers of services to containers",
        _ => "what goes between containers and services",
    };
    let older = if legacy { " (iptables-legacy)" } else { "" };
    let subject = format!("{} {} {}{older}", chain.family.word(), chain.table, chain.name);
    if chain.is_of_firewalld() && has_zone_of_ours(facts) {
        let breaks = "firewalld has a zone for vfh*, and decides there; `firewall-cmd --list-all-policies` tells what it forwards";
        return Some(Finding::info(Code::FirewalldDecides, subject, breaks));
    }
    let finding = if ways.iter().any(|(_, fate)| *fate == Fate::Dropped) {
        Finding::error(Code::ForwardDropped, subject, format!("this chain drops {what}"))
    } else {
        let breaks =
            format!("this chain drops {what}, unless a rule with more conditions accepts it");
        Finding::warning(Code::ForwardDropped, subject, breaks)
    };
    Some(match (chain.is_of_firewalld(), chain.owned) {
        (true, _) => finding.run(FIREWALLD.map(str::to_owned)),
        (false, true) => finding.advise(
            "the table belongs to a running program, and only that may change it: let it accept what comes from vfh* and what is \
             established to vfh*",
        ),
        (false, false) => {
            finding.run(closed.into_iter().map(|way| opening(chain, legacy, way)))
        }
    })
}

/// A rule of somebody else's in its table would be refused where it owns that, and lost with its next reload. A zone of their
/// own keeps containers out of what other zones have open on the host.
const FIREWALLD: [&str; 7] = [
    "firewall-cmd --permanent --new-zone=vfhook",
    "firewall-cmd --permanent --zone=vfhook --add-interface=vfh+",
    "firewall-cmd --permanent --new-policy=vfhook-out",
    "firewall-cmd --permanent --policy=vfhook-out --set-target=ACCEPT",
    "firewall-cmd --permanent --policy=vfhook-out --add-ingress-zone=vfhook",
    "firewall-cmd --permanent --policy=vfhook-out --add-egress-zone=ANY",
    "firewall-cmd --reload",
];

/// Whether firewalld sends what comes from our interfaces to a zone that was chosen for them.
fn has_zone_of_ours(facts: &Facts) -> bool {
    let mut zones = facts.host.all_chains().filter(|chain| chain.is_of_firewalld_zones());
    let ours = |rule: &Rule| rule.from.as_ref().is_some_and(Interfaces::are_ours);
    zones.any(|chain| chain.rules.iter().any(ours))
}

fn fate(chain: &Chain, way: Way) -> Fate {
    let mut uncertain = false;
    for rule in chain.rules.iter().filter(|rule| may_meet(rule, way)) {
        match (rule.verdict, meets_all(rule, way)) {
            (Verdict::Accept, true) => return Fate::Passes,
            (Verdict::Refuse, true) => return dropped(uncertain),
            (Verdict::Accept, false) | (Verdict::Elsewhere, _) => uncertain = true,
            // A refusal with more conditions is somebody's wish, not a closed door.
            (Verdict::Refuse, false) | (Verdict::None, _) => {}
        }
    }
    if chain.drops { dropped(uncertain) } else { Fate::Passes }
}

fn dropped(uncertain: bool) -> Fate {
    if uncertain { Fate::Uncertain } else { Fate::Dropped }
}

/// Whether some packet of ours could meet the rule.
fn may_meet(rule: &Rule, way: Way) -> bool {
    let (ours, other) = ends(rule, way);
    let new = way == Way::Out && rule.established;
    // The other end is not a sandbox's: that is where services are.
    let elsewhere = other.is_none_or(|interfaces| !interfaces.are_ours());
    !new && elsewhere && ours.is_none_or(Interfaces::may_be_ours)
}

/// Whether every packet of ours meets it.
fn meets_all(rule: &Rule, way: Way) -> bool {
    let (ours, other) = ends(rule, way);
    !rule.more && other.is_none() && ours.is_none_or(Interfaces::cover_ours)
}

/// The interfaces that a rule names for the sandbox's end of the way, and for the other.
fn ends(rule: &Rule, way: Way) -> (Option<&Interfaces>, Option<&Interfaces>) {
    match way {
        Way::Out => (rule.from.as_ref(), rule.to.as_ref()),
        Way::Back => (rule.to.as_ref(), rule.from.as_ref()),
    }
}

/// The command that lets this way through, at the chain's very beginning.
fn opening(chain: &Chain, legacy: bool, way: Way) -> String {
    let program = match (chain.family, legacy) {
        (Family::Ip6, false) => "ip6tables",
        (Family::Ip6, true) => "ip6tables-legacy",
        (_, false) => "iptables",
        (_, true) => "iptables-legacy",
    };
    let is_theirs =
        chain.table == "filter" && chain.name == "FORWARD" && chain.family != Family::Inet;
    let (table, name) = (&chain.table, &chain.name);
    let family = chain.family.word();
    match (is_theirs, way) {
        (true, Way::Out) => format!("{program} -I FORWARD -i vfh+ -j ACCEPT"),
        (true, Way::Back) => format!(
            "{program} -I FORWARD -o vfh+ -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
        ),
        (false, Way::Out) => {
            format!("nft insert rule {family} {table} {name} iifname '\"vfh*\"' accept")
        }
        (false, Way::Back) => format!(
            "nft insert rule {family} {table} {name} oifname '\"vfh*\"' ct state established,related accept"
        ),
    }
}

/// Whether connections can still be followed: a full table drops new ones.
pub(super) fn room_for_connections(facts: &Facts, _: &Config) -> Vec<Finding> {
    let (count, max) = (
        facts.host.sysctl("netfilter/nf_conntrack_count"),
        facts.host.sysctl("netfilter/nf_conntrack_max"),
    );
    // Nothing follows connections yet, or without a limit.
    if max == 0 || u64::from(count) * 10 < u64::from(max) * 9 {
        return Vec::new();
    }
    let breaks = format!(
        "{count} of {max} connections are in use: when it is full, new ones to services are dropped"
    );
    let double = format!("sysctl -w net.netfilter.nf_conntrack_max={}", u64::from(max) * 2);
    vec![
        Finding::warning(Code::ConnectionsFull, "net.netfilter.nf_conntrack_max", breaks)
            .run([double]),
    ]
}
