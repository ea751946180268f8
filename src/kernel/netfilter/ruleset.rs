//! Reads the chains of nft, and the rules of those that packets are forwarded through (`linux/netfilter/nf_tables.h`). Of
//! a rule it understands interfaces, the state of a connection and the verdict; it judges none. Writes nothing.

use std::collections::BTreeSet;

use nix::errno::Errno;

use crate::inventory::{Chain, Family, Hook, Rule};
use crate::kernel::{
    KernelError, LinuxKernel, Refusal,
    netfilter::{
        nfnetlink::{Attributes, PROTOCOL, nftables, number, packet, text},
        rule,
    },
    netlink::{attribute::find, socket::Netlink},
    rtnetlink::link::refused,
};

const DUMP: u16 = 0x300;
const GET_TABLE: u16 = nftables(1);
const GET_CHAIN: u16 = nftables(4);
const GET_RULE: u16 = nftables(7);

mod kind {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const TABLE_FLAGS: u16 = 2;
    pub(crate) const CHAIN_NAME: u16 = 3;
    pub(crate) const CHAIN_HOOK: u16 = 4;
    pub(crate) const CHAIN_POLICY: u16 = 5;
    pub(crate) const CHAIN_USE: u16 = 6;
    pub(crate) const CHAIN_TYPE: u16 = 7;
    pub(crate) const HOOK_NUMBER: u16 = 1;
    pub(crate) const RULE_CHAIN: u16 = 2;
    pub(crate) const RULE_EXPRESSIONS: u16 = 4;
}

/// All chains in the host's namespace; `None` when the kernel has no `nf_tables`.
pub(crate) fn chains(kernel: &mut LinuxKernel) -> Result<Option<Vec<Chain>>, KernelError> {
    let mut netlink = match Netlink::open(PROTOCOL) {
        Err(Errno::EPROTONOSUPPORT) => return Ok(None),
        other => other.map_err(KernelError::refused("open", "a netfilter socket"))?,
    };
    let found = all(&mut netlink);
    kernel.other_messages += netlink.sent();
    match found {
        // No module answers for this part of netfilter.
        Err(refusal) if matches!(refusal.errno, Errno::EINVAL | Errno::EOPNOTSUPP) => Ok(None),
        other => other.map(Some).map_err(refused("list", "nft chains")),
    }
}

fn all(netlink: &mut Netlink) -> Result<Vec<Chain>, Refusal> {
    let request = packet(GET_CHAIN, DUMP, 0, 0, 1, &Attributes::default());
    let answers = netlink.dump_raw(&request, 1)?;
    let mut chains: Vec<Chain> =
        answers.iter().filter_map(|message| chain(&message.body)).collect();
    let owned = owned_tables(netlink)?;
    for chain in &mut chains {
        chain.owned = owned.contains(&chain.table);
    }
    let forwarding = chains
        .iter_mut()
        .filter(|chain| chain.hook == Some(Hook::Forward) || chain.is_of_firewalld_zones());
    for (sequence, chain) in (3..).zip(forwarding) {
        chain.rules = rules(netlink, chain, sequence)?;
    }
    Ok(chains)
}

/// The names of the tables that belong to a running program (`NFT_TABLE_F_OWNER`).
fn owned_tables(netlink: &mut Netlink) -> Result<BTreeSet<String>, Refusal> {
    const OWNER: u32 = 2;
    let request = packet(GET_TABLE, DUMP, 0, 0, 2, &Attributes::default());
    let answers = netlink.dump_raw(&request, 2)?;
    let owned = answers.iter().filter_map(|message| {
        let attributes = message.body.get(4..)?;
        let flags = find(attributes, kind::TABLE_FLAGS).and_then(number)?;
        (flags & OWNER != 0).then(|| find(attributes, kind::TABLE).map(text))?
    });
    Ok(owned.collect())
}

/// The chain that an answer tells of, without its rules.
pub(crate) fn chain(body: &[u8]) -> Option<Chain> {
    let (header, attributes) = body.split_at_checked(4)?;
    let family = match header[0] {
        1 => Family::Inet,
        2 => Family::Ip,
        10 => Family::Ip6,
        _ => Family::Other,
    };
    let kind = find(attributes, kind::CHAIN_TYPE).map(text);
    let hook =
        find(attributes, kind::CHAIN_HOOK).map(|hook| number(find(hook, kind::HOOK_NUMBER)?));
    let hook = hook.map(|number| match (family, number, kind.as_deref()) {
        (Family::Other, ..) => Hook::Other,
        (_, Some(2), _) => Hook::Forward,
        (_, Some(0), Some("nat")) => Hook::NatPrerouting,
        _ => Hook::Other,
    });
    Some(Chain {
        family,
        table: text(find(attributes, kind::TABLE)?),
        name: text(find(attributes, kind::CHAIN_NAME)?),
        hook,
        owned: false,
        drops: find(attributes, kind::CHAIN_POLICY).and_then(number) == Some(0),
        used: find(attributes, kind::CHAIN_USE).and_then(number) != Some(0),
        rules: Vec::new(),
    })
}

/// The rules of one chain, in order.
fn rules(netlink: &mut Netlink, chain: &Chain, sequence: u32) -> Result<Vec<Rule>, Refusal> {
    let mut wanted = Attributes::default();
    wanted.text(kind::TABLE, &chain.table).text(kind::RULE_CHAIN, &chain.name);
    let family = match chain.family {
        Family::Inet => 1,
        Family::Ip => 2,
        Family::Ip6 => 10,
        Family::Other => return Ok(Vec::new()),
    };
    let request = packet(GET_RULE, DUMP, family, 0, sequence, &wanted);
    let answers = netlink.dump_raw(&request, sequence)?;
    Ok(answers.iter().filter_map(|message| rule_of(chain, &message.body)).collect())
}

/// The rule that an answer tells of; `None` when it is another chain's: a kernel may take no notice of the filter.
pub(crate) fn rule_of(chain: &Chain, body: &[u8]) -> Option<Rule> {
    let attributes = body.get(4..)?;
    let is_here = |kind, name: &str| find(attributes, kind).map(text).as_deref() == Some(name);
    let here = is_here(kind::TABLE, &chain.table) && is_here(kind::RULE_CHAIN, &chain.name);
    here.then(|| rule::read(find(attributes, kind::RULE_EXPRESSIONS).unwrap_or_default()))
}
