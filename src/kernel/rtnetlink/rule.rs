//! Rules of ours that choose a table of routes: added, deleted, listed (`linux/fib_rules.h`). One that is not marked as ours is never
//! touched.

use std::{collections::BTreeSet, fmt};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    route::RouteProtocol,
    rule::{RuleAction, RuleAttribute, RuleMessage},
};
use nix::errno::Errno;

use crate::{
    inventory::{Route, RoutingRule},
    kernel::{
        KernelError, LinuxKernel,
        netlink::{
            attribute::{find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::{
            address::{family_of, ip},
            link::refused,
        },
    },
    plan::step::Place,
};

/// Adds a rule in the sandbox; one that is there is the work of an earlier try.
pub(crate) fn add(kernel: &mut LinuxKernel, rule: &RoutingRule) -> Result<(), KernelError> {
    let message = RouteNetlinkMessage::NewRule(encode(rule));
    match kernel.netlink(Place::Sandbox)?.change(message, NLM_F_CREATE | NLM_F_EXCL) {
        Err(refusal) if refusal.errno == Errno::EEXIST => Ok(()),
        other => other.map_err(refused("add rule", Shown(rule))),
    }
}

/// Deletes a rule in the sandbox; one that is gone is gone.
pub(crate) fn delete(kernel: &mut LinuxKernel, rule: &RoutingRule) -> Result<(), KernelError> {
    let message = RouteNetlinkMessage::DelRule(encode(rule));
    match kernel.netlink(Place::Sandbox)?.change(message, 0) {
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(()),
        other => other.map_err(refused("delete rule", Shown(rule))),
    }
}

/// The rules of ours, of both families.
pub(crate) fn ours(netlink: &mut Netlink) -> Result<BTreeSet<RoutingRule>, KernelError> {
    // That of no family asks for those of all.
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetRule(RuleMessage::default()))
        .map_err(refused("list", "rules"))?;
    Ok(answers.iter().filter_map(read).collect())
}

fn encode(rule: &RoutingRule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family_of(rule.from.addr());
    message.header.src_len = rule.from.prefix_len();
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Source(rule.from.addr()),
        RuleAttribute::Priority(rule.priority),
        RuleAttribute::Table(rule.table),
        RuleAttribute::Protocol(RouteProtocol::from(Route::PROTOCOL)),
    ];
    message
}

/// The rule that a message tells of, if it is one of ours.
fn read(message: &Message) -> Option<RoutingRule> {
    const NEW_RULE: u16 = 32;
    const HEADER: usize = 12;
    const SOURCE: u16 = 2;
    const PRIORITY: u16 = 6;
    const TABLE: u16 = 15;
    const PROTOCOL: u16 = 21;
    let [family, _, length, ..] = message.body.first_chunk::<HEADER>()?;
    (message.kind == NEW_RULE).then_some(())?;
    let attributes = &message.body[HEADER..];
    (find(attributes, PROTOCOL)? == [Route::PROTOCOL]).then_some(())?;
    let from = ip(*family, find(attributes, SOURCE)?)?;
    Some(RoutingRule {
        from: IpNet::new(from, *length).ok()?,
        table: find(attributes, TABLE).and_then(word)?,
        priority: find(attributes, PRIORITY).and_then(word)?,
    })
}

/// A rule in words.
struct Shown<'a>(&'a RoutingRule);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(RoutingRule { from, table, priority }) = self;
        write!(f, "from {from} lookup {table} priority {priority}")
    }
}
