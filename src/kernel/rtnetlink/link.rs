//! Links: looked at, made, moved, brought up, deleted.

use std::{collections::BTreeSet, os::fd::RawFd};

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        InfoData, InfoKind, InfoMacVlan, InfoVeth, LinkAttribute, LinkExtentMask, LinkFlags,
        LinkInfo, LinkMessage, MacVlanMode, Prop,
    },
};
use nix::{errno::Errno, net::if_::if_nametoindex};

use crate::{
    inventory::Link,
    kernel::{
        KernelError, LinuxKernel, Refusal,
        netlink::socket::{Message, Netlink},
        rtnetlink::link_message,
    },
    plan::step::{CreateMacvlan, CreateVeth, OwnLink, Place, TakeDevice},
    types::{InterfaceName, KernelText, MacAddress, OwnerTag, PciAddress},
};

const IFLA_IFNAME: u16 = 3;
const IFLA_IFALIAS: u16 = 20;
const IFLA_ALT_IFNAME: u16 = 53;

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

/// The host's interface of a device; `None` when it is not there. sysfs gives a number, which may be another link's by the
/// time that netlink is asked: what it answers must be the device's, and sysfs must still say so.
pub(crate) fn of_device(
    kernel: &mut LinuxKernel,
    device: PciAddress,
) -> Result<Option<Link>, KernelError> {
    let Some(index) = kernel.sysfs.interface_index(device) else { return Ok(None) };
    let found = by_index(&mut kernel.host, index)?;
    let is_of_it = |link: &Link| link.parent.is_none_or(|parent| parent == device);
    let still = kernel.sysfs.interface_index(device) == Some(index);
    Ok(found.filter(|link| is_of_it(link) && still))
}

/// Every link in the socket's namespace.
pub(crate) fn all(netlink: &mut Netlink) -> Result<Vec<Link>, KernelError> {
    let answers =
        netlink.dump(&get(LinkMessage::default())).map_err(refused("list", "interfaces"))?;
    Ok(answers.iter().filter_map(link_message::read).collect())
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
    // Kernels before 6.15 look for the name in the host's namespace, and refuse one that the host has.
    let renamed = if_nametoindex(step.name.as_str()).is_ok();
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
    let object = format!("macvlan {} on {} in the sandbox", step.name, step.parent);
    let message = message_with(attributes);
    create(kernel, message, Place::Sandbox, &first_name, step.mac, object)?;
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
    set(kernel.netlink(Place::Sandbox)?, message).map_err(refused("name", format!("macvlan {to}")))
}

/// Makes a veth pair whose other end is in the sandbox from its first moment. Both ends are down: what must be said of them
/// before they hear anything is said in between.
pub(crate) fn create_veth(kernel: &mut LinuxKernel, step: &CreateVeth) -> Result<(), KernelError> {
    let peer = message_with(vec![
        LinkAttribute::NetNsFd(kernel.sandbox()?.descriptor()),
        LinkAttribute::IfName(step.inside.to_string()),
        LinkAttribute::Address(step.inside_mac.bytes().to_vec()),
    ]);
    let message = message_with(vec![
        LinkAttribute::IfName(step.host.to_string()),
        LinkAttribute::Address(step.host_mac.bytes().to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ]);
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
    names: &BTreeSet<&KernelText>,
    add: bool,
) -> Result<(), Refusal> {
    if names.is_empty() {
        return Ok(());
    }
    let property = |name: &&KernelText| Prop::Other(text(IFLA_ALT_IFNAME, name));
    let names = names.iter().map(property).collect();
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

/// The attribute that gives a link a name which it had before, whatever its bytes are.
pub(crate) fn named(name: &KernelText) -> LinkAttribute {
    LinkAttribute::Other(text(IFLA_IFNAME, name))
}

/// The attribute that gives a link an alias which it had before; an empty one takes it away.
pub(crate) fn noted(alias: Option<&KernelText>) -> LinkAttribute {
    let Some(alias) = alias else { return LinkAttribute::IfAlias(String::new()) };
    LinkAttribute::Other(text(IFLA_IFALIAS, alias))
}

fn text(kind: u16, text: &KernelText) -> DefaultNla {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    DefaultNla::new(kind, bytes)
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

fn found(answer: Result<Message, Refusal>, object: &str) -> Result<Option<Link>, KernelError> {
    match answer {
        Ok(message) => link_message::read(&message).map(Some).ok_or_else(|| KernelError::Answer {
            operation: "look at an interface",
            reason: format!("what came for {object} tells of no link"),
        }),
        Err(refusal) if refusal.errno == Errno::ENODEV => Ok(None),
        Err(refusal) => Err(refused("look at", object)(refusal)),
    }
}

/// Makes a refusal an error with its operation and object.
pub(crate) fn refused(
    operation: &'static str,
    object: impl Into<String>,
) -> impl FnOnce(Refusal) -> KernelError {
    let object = object.into();
    move |source| KernelError::Refused { operation, object, source }
}
