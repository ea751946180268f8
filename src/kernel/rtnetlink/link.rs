//! Links: looked at, made, moved, brought up, deleted.

use std::{collections::BTreeSet, os::fd::RawFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        InfoData, InfoKind, InfoMacVlan, InfoVeth, LinkAttribute, LinkExtentMask, LinkFlags,
        LinkInfo, LinkMessage, MacVlanMode, Prop,
    },
};
use nix::errno::Errno;

use crate::kernel::{KernelError, LinuxKernel, Refusal, netlink::socket::Netlink};
use crate::{
    inventory::Link,
    plan::step::{CreateMacvlan, CreateVeth, OwnLink, Place, TakeDevice},
    types::{InterfaceName, MacAddress, OwnerTag},
};

/// The link of this name, main or alternative; `None` when there is none.
pub(crate) fn by_name(
    netlink: &mut Netlink,
    name: &InterfaceName,
) -> Result<Option<Link>, KernelError> {
    let message = message_with(vec![LinkAttribute::IfName(name.to_string())]);
    found(netlink.get(get(message)), &format!("interface {name}"))
}

/// The link with this number.
pub(crate) fn by_index(netlink: &mut Netlink, index: u32) -> Result<Option<Link>, KernelError> {
    found(netlink.get(get(numbered(index, Vec::new()))), &format!("interface number {index}"))
}

/// Every link in the socket's namespace.
pub(crate) fn all(netlink: &mut Netlink) -> Result<Vec<Link>, KernelError> {
    let answers =
        netlink.dump(&get(LinkMessage::default())).map_err(refused("list", "interfaces"))?;
    Ok(answers.iter().filter_map(parse).collect())
}

/// Moves, renames, tags and brings up a device's interface in one message.
pub(crate) fn take(kernel: &mut LinuxKernel, step: &TakeDevice) -> Result<(), KernelError> {
    let object = format!("{} into the sandbox as {}", step.device, step.name);
    let namespace = kernel.sandbox()?.descriptor();
    let mut attributes = vec![
        LinkAttribute::NetNsFd(namespace),
        LinkAttribute::IfName(step.name.to_string()),
        LinkAttribute::IfAlias(step.tag.to_string()),
    ];
    attributes.extend(step.mtu.map(LinkAttribute::Mtu));
    let mut message = numbered(step.index, attributes);
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    kernel.forget(Place::Sandbox, &step.name);
    match set(&mut kernel.host, message) {
        Err(refusal) if refusal.errno == Errno::ENODEV && is_inside(kernel, step)? => Ok(()),
        other => other.map_err(refused("move", object)),
    }
}

/// Whether an earlier try moved the device already: a repeated step finds its own work.
fn is_inside(kernel: &mut LinuxKernel, step: &TakeDevice) -> Result<bool, KernelError> {
    let there = by_name(kernel.netlink(Place::Sandbox)?, &step.name)?;
    Ok(there.is_some_and(|there| there.parent == Some(step.device)))
}

/// Makes a macvlan device in the sandbox, in bridge mode so that neighbours on one parent reach each other.
pub(crate) fn create_macvlan(
    kernel: &mut LinuxKernel,
    step: &CreateMacvlan,
) -> Result<(), KernelError> {
    let mut attributes = vec![
        LinkAttribute::NetNsFd(kernel.sandbox()?.descriptor()),
        LinkAttribute::IfName(step.name.to_string()),
        LinkAttribute::Link(step.parent_index),
        LinkAttribute::Address(step.mac.bytes().to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Bridge)])),
        ]),
    ];
    attributes.extend(step.mtu.map(LinkAttribute::Mtu));
    let object = format!("macvlan {} on {} in the sandbox", step.name, step.parent);
    create(kernel, message_with(attributes), Place::Sandbox, &step.name, step.mac, object)
}

/// Makes a veth pair whose other end is in the sandbox from its first moment. The end in the sandbox cannot be
/// brought up by the same message: its peer does not exist yet when the kernel comes to it (ENOTCONN).
pub(crate) fn create_veth(kernel: &mut LinuxKernel, step: &CreateVeth) -> Result<(), KernelError> {
    let peer = message_with(vec![
        LinkAttribute::NetNsFd(kernel.sandbox()?.descriptor()),
        LinkAttribute::IfName(step.inside.to_string()),
        LinkAttribute::Address(step.inside_mac.bytes().to_vec()),
    ]);
    let mut message = message_with(vec![
        LinkAttribute::IfName(step.host.to_string()),
        LinkAttribute::Address(step.host_mac.bytes().to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ]);
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    let object = format!("veth {} with {} in the sandbox", step.host, step.inside);
    create(kernel, message, Place::Host, &step.host, step.host_mac, object)
}

/// Makes a link; one that is there already with our own MAC is the work of an earlier try.
fn create(
    kernel: &mut LinuxKernel,
    message: LinkMessage,
    place: Place,
    name: &InterfaceName,
    mac: MacAddress,
    object: String,
) -> Result<(), KernelError> {
    kernel.forget(place, name);
    match kernel.host.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL) {
        Err(refusal) if refusal.errno == Errno::EEXIST => {
            match by_name(kernel.netlink(place)?, name)? {
                Some(there) if there.mac == Some(mac) => Ok(()),
                _ => Err(refused("make", object)(refusal)),
            }
        }
        other => other.map_err(refused("make", object)),
    }
}

/// Brings a link up and tags it.
pub(crate) fn up(
    kernel: &mut LinuxKernel,
    place: Place,
    name: &InterfaceName,
    tag: &OwnerTag,
) -> Result<(), KernelError> {
    let index = kernel.index(place, name)?;
    let mut message = numbered(index, vec![LinkAttribute::IfAlias(tag.to_string())]);
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    set(kernel.netlink(place)?, message).map_err(refused("bring up", format!("{name}")))
}

/// Deletes a link of ours; one that is gone is gone. On the host nobody renames it, so only the sandbox is searched.
pub(crate) fn delete(kernel: &mut LinuxKernel, step: &OwnLink) -> Result<(), KernelError> {
    kernel.forget(step.place, &step.name);
    let netlink = kernel.netlink(step.place)?;
    let mut found = by_name(netlink, &step.name)?.filter(|found| step.is(found));
    if found.is_none() && step.place == Place::Sandbox {
        found = all(netlink)?.into_iter().find(|found| step.is(found));
    }
    let Some(found) = found else { return Ok(()) };
    let message = RouteNetlinkMessage::DelLink(numbered(found.index, Vec::new()));
    match netlink.change(message, 0) {
        Err(refusal) if refusal.errno == Errno::ENODEV => Ok(()),
        other => other.map_err(refused("delete", format!("link {}", step.name))),
    }
}

/// Brings a link up or down.
pub(crate) fn set_up(netlink: &mut Netlink, index: u32, up: bool) -> Result<(), Refusal> {
    let mut message = numbered(index, Vec::new());
    message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
    message.header.change_mask = LinkFlags::Up;
    set(netlink, message)
}

/// Sends a change of one link.
pub(crate) fn set(netlink: &mut Netlink, message: LinkMessage) -> Result<(), Refusal> {
    netlink.change(RouteNetlinkMessage::SetLink(message), 0)
}

/// Adds alternative names to a link, or takes them away.
pub(crate) fn altnames(
    netlink: &mut Netlink,
    index: u32,
    names: &BTreeSet<&String>,
    add: bool,
) -> Result<(), Refusal> {
    if names.is_empty() {
        return Ok(());
    }
    let names = names.iter().map(|name| Prop::AltIfName((*name).clone())).collect();
    let message = numbered(index, vec![LinkAttribute::PropList(names)]);
    if add {
        netlink.change(RouteNetlinkMessage::NewLinkProp(message), NLM_F_CREATE | NLM_F_EXCL)
    } else {
        netlink.change(RouteNetlinkMessage::DelLinkProp(message), 0)
    }
}

/// A message about the link with this number.
pub(crate) fn numbered(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = message_with(attributes);
    message.header.index = index;
    message
}

/// The attribute that names the namespace a link moves to.
pub(crate) fn into_namespace(descriptor: RawFd) -> LinkAttribute {
    LinkAttribute::NetNsFd(descriptor)
}

/// A request for links. VFs' attributes are never asked for here: each costs the driver up to milliseconds.
fn get(mut message: LinkMessage) -> RouteNetlinkMessage {
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    RouteNetlinkMessage::GetLink(message)
}

fn message_with(attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes = attributes;
    message
}

fn found(
    answer: Result<RouteNetlinkMessage, Refusal>,
    object: &str,
) -> Result<Option<Link>, KernelError> {
    match answer {
        Ok(message) => parse(&message).map(Some).ok_or_else(|| KernelError::Answer {
            operation: "look at an interface",
            reason: format!("{object} has no usable name"),
        }),
        Err(refusal) if refusal.errno == Errno::ENODEV => Ok(None),
        Err(refusal) => Err(refused("look at", object)(refusal)),
    }
}

/// What a message says of a link; `None` for another kind of message.
pub(crate) fn parse(message: &RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    let flags = message.header.flags;
    let name = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => InterfaceName::observed(name),
        _ => None,
    });
    let mut link = Link {
        index: message.header.index,
        name: name?,
        altnames: BTreeSet::new(),
        mac: None,
        permanent_mac: None,
        mtu: 0,
        up: flags.contains(LinkFlags::Up),
        promiscuous: flags.contains(LinkFlags::Promisc),
        all_multicast: flags.contains(LinkFlags::Allmulti),
        tx_queue_len: 0,
        alias: None,
        master: None,
        parent: None,
        addresses: Vec::new(),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Address(bytes) => link.mac = mac(bytes),
            LinkAttribute::PermAddress(bytes) => link.permanent_mac = mac(bytes),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::TxQueueLen(length) => link.tx_queue_len = *length,
            LinkAttribute::IfAlias(alias) => {
                link.alias = Some(alias.clone()).filter(|alias| !alias.is_empty());
            }
            LinkAttribute::Controller(master) => link.master = Some(*master),
            LinkAttribute::ParentDevName(parent) => link.parent = parent.parse().ok(),
            LinkAttribute::PropList(names) => {
                link.altnames.extend(names.iter().filter_map(altname));
            }
            _ => {}
        }
    }
    Some(link)
}

fn altname(property: &Prop) -> Option<String> {
    if let Prop::AltIfName(name) = property { Some(name.clone()) } else { None }
}

fn mac(bytes: &[u8]) -> Option<MacAddress> {
    bytes.try_into().ok().and_then(MacAddress::from_bytes)
}

/// Makes a refusal an error with its operation and object.
pub(crate) fn refused(
    operation: &'static str,
    object: impl Into<String>,
) -> impl FnOnce(Refusal) -> KernelError {
    let object = object.into();
    move |source| KernelError::Refused { operation, object, source }
}
