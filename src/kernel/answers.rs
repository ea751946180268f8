//! What the kernel's answers say, read from bytes and not from a socket: for answers that were recorded or made up. Sends
//! nothing and looks at no machine.

use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;

use crate::kernel::{
    Refusal,
    netfilter::{legacy_rules, ruleset},
    netlink::datagram::{RawContent, answers, events, raw_messages},
    rtnetlink::{address, link, route, vf},
};
use crate::{
    inventory::{Chain, Link, Route},
    types::VfAttributes,
};

/// The request that a datagram is taken to answer.
pub const SEQUENCE: u32 = 1;

/// What a datagram of routing messages says.
#[derive(Debug, Default)]
pub struct Routing {
    /// Links.
    pub links: Vec<Link>,
    /// The attributes of VF 0, from each link that lists it.
    pub attributes: Vec<VfAttributes>,
    /// Addresses of global scope.
    pub addresses: Vec<IpNet>,
    /// Routes by these links.
    pub routes: Vec<Route>,
    /// How many messages could be read as events.
    pub events: usize,
}

/// Reads a datagram of routing messages as every look at the host or a sandbox does.
pub fn routing(datagram: &[u8]) -> Result<Routing, Refusal> {
    let mut messages = Vec::new();
    answers(datagram, SEQUENCE, |answer| {
        messages.push(answer);
        false
    })?;
    let links: Vec<Link> = messages.iter().filter_map(link::parse).collect();
    let attributes = messages.iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewLink(message) => vf::listed(message, 0),
        _ => None,
    });
    let addresses = messages.iter().filter_map(|message| address::parse(message, None));
    let routes = messages.iter().flat_map(|message| {
        [false, true].into_iter().filter_map(|ipv6| route::parse(message, ipv6, &links))
    });
    Ok(Routing {
        attributes: attributes.collect(),
        addresses: addresses.collect(),
        routes: routes.collect(),
        events: events(datagram).len(),
        links,
    })
}

/// Reads a datagram of netfilter messages: each body as a chain, and as a rule of each chain before it.
pub fn netfilter(datagram: &[u8]) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    for message in raw_messages(datagram) {
        let RawContent::Body(body) = message.content else { continue };
        for chain in &mut chains {
            chain.rules.extend(ruleset::rule_of(chain, body));
        }
        chains.extend(ruleset::chain(body));
    }
    chains
}

/// Reads the entries of a table of the older iptables whose hook begins at `first` and has its policy at `policy`.
pub fn iptables(ipv6: bool, entries: &[u8], first: usize, policy: usize) -> Vec<Chain> {
    legacy_rules::forward_chains(ipv6, entries, first, policy)
}
