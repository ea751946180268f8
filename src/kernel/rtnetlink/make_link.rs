//! Makes links in the sandbox and between it and the host. Brings none up.

use std::fmt;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        InfoData, InfoKind, InfoMacVlan, InfoVeth, LinkAttribute, LinkInfo, LinkMessage,
        MacVlanMode,
    },
};
use nix::errno::Errno;

use super::{
    ask,
    link::{by_name, message_with, numbered, refused, set},
};
use crate::{
    kernel::{KernelError, LinuxKernel},
    plan::step::{CreateMacvlan, CreateVeth, Place},
    types::{InterfaceName, MacAddress},
};

/// A pair that is told nothing has a queue for each processor, each with directories of its own in sysfs, and uses none of them: it has
/// no queueing discipline and takes no lock to send.
const ONE_QUEUE: [LinkAttribute; 2] =
    [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)];

/// Makes a macvlan device in the sandbox, in bridge mode so that neighbours on one parent reach each other.
pub(crate) fn macvlan(kernel: &mut LinuxKernel, step: &CreateMacvlan) -> Result<(), KernelError> {
    // Kernels before 6.15 look for the name in the host's namespace, and refuse one that the host has.
    let renamed = ask::index(&kernel.host, &step.name).is_ok_and(|found| found.is_some());
    if renamed && is_made(kernel, Place::Sandbox, &step.name, step.mac)? {
        return Ok(());
    }
    let first_name = if renamed { passing_name(step.mac) } else { step.name.clone() };
    let mut attributes = vec![
        LinkAttribute::NetNsFd(kernel.sandbox()?.descriptor()),
        LinkAttribute::IfName(first_name.to_string()),
        LinkAttribute::Link(step.parent_index),
        LinkAttribute::Address(step.mac.bytes().to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Bridge)])),
        ]),
    ];
    attributes.extend(step.mtu.map(LinkAttribute::Mtu));
    create(
        kernel,
        message_with(attributes),
        Place::Sandbox,
        &first_name,
        step.mac,
        format_args!("macvlan {} on {} in the sandbox", step.name, step.parent),
    )?;
    if renamed { rename_inside(kernel, &first_name, &step.name) } else { Ok(()) }
}

/// The name of a link that has its own only once it is where it belongs: no other link is made with its hardware address.
fn passing_name(mac: MacAddress) -> InterfaceName {
    InterfaceName::ours(mac.bytes().iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn rename_inside(
    kernel: &mut LinuxKernel,
    from: &InterfaceName,
    to: &InterfaceName,
) -> Result<(), KernelError> {
    let index = kernel.index(Place::Sandbox, from)?;
    kernel.forget(Place::Sandbox, from);
    let message = numbered(index, vec![LinkAttribute::IfName(to.to_string())]);
    set(kernel.netlink(Place::Sandbox)?, message)
        .map_err(refused("name", format_args!("macvlan {to}")))
}

/// Makes a veth pair whose other end is in the sandbox from its first moment. Both ends are down: what must be said of them
/// before they hear anything is said in between.
pub(crate) fn veth(kernel: &mut LinuxKernel, step: &CreateVeth) -> Result<(), KernelError> {
    let mut peer = vec![
        LinkAttribute::NetNsFd(kernel.sandbox()?.descriptor()),
        LinkAttribute::IfName(step.inside.to_string()),
        LinkAttribute::Address(step.inside_mac.bytes().to_vec()),
    ];
    peer.extend(ONE_QUEUE);
    peer.extend(step.mtu.map(LinkAttribute::Mtu));
    let peer = InfoData::Veth(InfoVeth::Peer(message_with(peer)));
    let mut pair = vec![
        LinkAttribute::IfName(step.host.to_string()),
        LinkAttribute::Address(step.host_mac.bytes().to_vec()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(peer)]),
    ];
    pair.extend(ONE_QUEUE);
    pair.extend(step.mtu.map(LinkAttribute::Mtu));
    create(
        kernel,
        message_with(pair),
        Place::Host,
        &step.host,
        step.host_mac,
        format_args!("veth {} with {} in the sandbox", step.host, step.inside),
    )
}

/// Makes a link; one that is there already with our own MAC is the work of an earlier try.
fn create(
    kernel: &mut LinuxKernel,
    message: LinkMessage,
    place: Place,
    name: &InterfaceName,
    mac: MacAddress,
    object: fmt::Arguments,
) -> Result<(), KernelError> {
    kernel.forget(place, name);
    match kernel.host.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL) {
        Err(refusal) if refusal.errno == Errno::EEXIST && is_made(kernel, place, name, mac)? => {
            Ok(())
        }
        other => other.map_err(refused("make", object)),
    }
}

/// Whether a link of this name is there with the MAC that only we give: the work of an earlier try.
fn is_made(
    kernel: &mut LinuxKernel,
    place: Place,
    name: &InterfaceName,
    mac: MacAddress,
) -> Result<bool, KernelError> {
    let there = by_name(kernel.netlink(place)?, name)?;
    Ok(there.is_some_and(|there| there.mac == Some(mac)))
}
