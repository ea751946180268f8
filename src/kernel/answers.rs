//! What the kernel's answers say, read from bytes and not from a socket: for answers that were recorded or made up. Sends
//! nothing and looks at no machine.

use ipnet::IpNet;

use crate::kernel::{
    Refusal,
    netfilter::{legacy_rules, ruleset},
    netlink::{
        datagram::{RawContent, raw_messages},
        socket::Message,
    },
    rtnetlink::{address, interface_sysctls, link_message, route_message, vf},
};
use crate::{
    inventory::{Chain, Link, SeenRoute, Sysctls},
    types::VfAttributes,
};

/// What a datagram of routing messages says.
#[derive(Debug, Default)]
pub struct Routing {
    /// Links.
    pub links: Vec<Link>,
    /// The attributes of VF 0, from each link that lists it.
    pub attributes: Vec<VfAttributes>,
    /// The sysctls of each link.
    pub sysctls: Vec<Sysctls>,
    /// Addresses of global scope.
    pub addresses: Vec<IpNet>,
    /// Routes, leading by these links.
    pub routes: Vec<SeenRoute>,
}

/// Reads a datagram of routing messages as every look at the host or a sandbox does.
pub fn routing(datagram: &[u8]) -> Result<Routing, Refusal> {
    let mut messages = Vec::new();
    for message in raw_messages(datagram) {
        match message.content {
            RawContent::End(Err(refusal)) => return Err(refusal),
            RawContent::End(Ok(())) => break,
            RawContent::Body(_) => messages.extend(Message::of(&message)),
        }
    }
    let links: Vec<Link> = messages.iter().filter_map(link_message::read).collect();
    Ok(Routing {
        attributes: messages.iter().filter_map(|message| vf::listed(&message.body, 0)).collect(),
        sysctls: messages.iter().filter_map(sysctls).collect(),
        addresses: messages.iter().filter_map(address::read).map(|found| found.net).collect(),
        routes: messages
            .iter()
            .filter_map(|message| route_message::read(message, &links))
            .collect(),
        links,
    })
}

fn sysctls(message: &Message) -> Option<Sysctls> {
    link_message::read(message)?;
    Some(interface_sysctls::read(link_message::attributes(&message.body)))
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
