//! Whether the kernel forwards between the service path and the rest of the host.
//!
//! IPv4: the interface that a packet comes in by decides, and no other switch. vfhook switches its own ends of the veth
//! pairs on; answers come in by the interfaces that routes leave by. IPv6: `all.forwarding` decides for the whole host.

use std::collections::BTreeSet;

use super::{Code, Facts, Finding};
use crate::{config::Config, inventory::Route, types::KernelText};

/// The number that the kernel gives routes which it learnt from a router (`RTPROT_RA`).
const LEARNT: u8 = 9;

/// Interfaces that requests leave by, so answers come in by.
fn ways(facts: &Facts, ipv6: bool) -> BTreeSet<&KernelText> {
    let is_way = |route: &&Route| {
        let local = matches!(route.to, ipnet::IpNet::V6(to) if to.addr().is_unicast_link_local());
        route.to.addr().is_ipv6() == ipv6
            && !local
            && route.interface != *"lo"
            && !route.interface.is_ours()
    };
    facts.host.routes.iter().filter(is_way).map(|route| &route.interface).collect()
}

/// IPv4.
pub(super) fn ipv4(facts: &Facts, _: &Config) -> Vec<Finding> {
    let ways = ways(facts, false);
    let forwards =
        |name: &KernelText| facts.host.sysctl(&format!("ipv4/conf/{name}/forwarding")) != 0;
    let closed: Vec<_> = ways.iter().filter(|name| !forwards(name)).collect();
    let all = facts.host.sysctl("ipv4/conf/all/forwarding") != 0;
    if closed.len() == ways.len() && !(ways.is_empty() && all) {
        let breaks = "answers of services are not forwarded: they come in by interfaces whose forwarding is off \
                      (vfhook switches it on for its own)";
        return vec![
            Finding::error(Code::Ipv4NotForwarded, "net.ipv4.ip_forward", breaks)
                .run(["sysctl -w net.ipv4.ip_forward=1".to_owned()]),
        ];
    }
    closed
        .into_iter()
        .map(|name| {
            let breaks = format!(
                "answers that come in by {name} are not forwarded to containers: for IPv4 each interface has a switch of its own"
            );
            // With slashes, since names of interfaces may have dots.
            Finding::warning(Code::InterfaceNotForwarding, format!("net/ipv4/conf/{name}/forwarding"), breaks)
                .run([format!("sysctl -w net/ipv4/conf/{name}/forwarding=1")])
        })
        .collect()
}

/// IPv6.
pub(super) fn ipv6(facts: &Facts, _: &Config) -> Vec<Finding> {
    let on = |key: &str| facts.host.sysctl(key) != 0;
    if on("ipv6/conf/all/forwarding") || on("ipv6/conf/all/force_forwarding") {
        return Vec::new();
    }
    let breaks = "no IPv6 packet is forwarded, so no IPv6 service answers";
    let advice = facts.host.routes.iter().filter(|route| route.protocol == LEARNT);
    let informed: BTreeSet<_> = advice.map(|route| &route.interface).collect();
    // A host that forwards takes no more advice of routers unless told so, and would lose its own default route.
    let keep = informed
        .into_iter()
        .filter(|name| facts.host.sysctl(&format!("ipv6/conf/{name}/accept_ra")) == 1);
    let keep = keep.map(|name| format!("sysctl -w net/ipv6/conf/{name}/accept_ra=2"));
    let forward = "sysctl -w net.ipv6.conf.all.forwarding=1".to_owned();
    vec![
        Finding::error(Code::Ipv6NotForwarded, "net.ipv6.conf.all.forwarding", breaks)
            .run(keep.chain([forward])),
    ]
}
