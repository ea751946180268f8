//! Links: looked at, moved, brought up, deleted. How they are made stands in `make_link`.

use std::{collections::BTreeSet, fmt, os::fd::RawFd};

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkExtentMask, LinkFlags, LinkMessage, Prop},
};
use nix::errno::Errno;

use crate::{
    inventory::{Link, Sysctls},
    kernel::{
        KernelError, LinuxKernel, Refusal,
        netlink::socket::{Message, Netlink},
        rtnetlink::{interface_sysctls, link_message},
    },
    plan::step::{OwnLink, Place, TakeDevice},
    types::{InterfaceName, KernelText, OwnerTag, PciAddress},
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

/// The same with its sysctls, which are in the same answer.
pub(crate) fn whole_by_name(
    netlink: &mut Netlink,
    name: &InterfaceName,
) -> Result<Option<(Link, Sysctls)>, KernelError> {
    let object = format!("interface {name}");
    let asked = get(message_with(vec![LinkAttribute::IfName(name.to_string())]));
    let Some(message) = there(netlink.get(asked), &object)? else { return Ok(None) };
    let sysctls = interface_sysctls::read(link_message::attributes(&message.body));
    Ok(Some((read(&message, &object)?, sysctls)))
}

/// The link that has this name, main or alternative, which may be longer than what is given.
pub(crate) fn by_any_name(
    netlink: &mut Netlink,
    name: &KernelText,
) -> Result<Option<Link>, KernelError> {
    let message = message_with(vec![LinkAttribute::Other(text(IFLA_ALT_IFNAME, name))]);
    found(netlink.get(get(message)), &format!("interface {name}"))
}

/// The link with this number.
pub(crate) fn by_index(netlink: &mut Netlink, index: u32) -> Result<Option<Link>, KernelError> {
    found(netlink.get(get(numbered(index, Vec::new()))), &format!("interface number {index}"))
}

/// All that the kernel tells of the link with this number.
fn message_of(netlink: &mut Netlink, index: u32) -> Result<Option<Message>, KernelError> {
    let asked = get(numbered(index, Vec::new()));
    there(netlink.get(asked), &format!("interface number {index}"))
}

/// The host's interface of a device; `None` when it is not there. sysfs gives a number, which may be another link's by the
/// time that netlink is asked: what it answers must be the device's, and sysfs must still say so.
pub(crate) fn of_device(
    kernel: &mut LinuxKernel,
    device: PciAddress,
) -> Result<Option<Link>, KernelError> {
    Ok(whole_of_device(kernel, device)?.map(|(link, _)| link))
}

/// The same with all that the kernel tells of it.
pub(crate) fn whole_of_device(
    kernel: &mut LinuxKernel,
    device: PciAddress,
) -> Result<Option<(Link, Message)>, KernelError> {
    let Some(index) = kernel.sysfs.interface_index(device) else { return Ok(None) };
    let Some(message) = message_of(&mut kernel.host, index)? else { return Ok(None) };
    let link = read(&message, &format!("interface number {index}"))?;
    let is_of_it = link.parent.is_none_or(|parent| parent == device);
    let still = kernel.sysfs.interface_index(device) == Some(index);
    Ok((is_of_it && still).then_some((link, message)))
}

/// Every link in the socket's namespace.
pub(crate) fn all(netlink: &mut Netlink) -> Result<Vec<Link>, KernelError> {
    all_and_cut(netlink).map(|(links, _)| links)
}

/// The same, and the numbers of those that are up and have no carrier.
pub(crate) fn all_and_cut(
    netlink: &mut Netlink,
) -> Result<(Vec<Link>, BTreeSet<u32>), KernelError> {
    let answers =
        netlink.dump(&get(LinkMessage::default())).map_err(refused("list", "interfaces"))?;
    let links: Vec<Link> = answers.iter().filter_map(link_message::read).collect();
    let cut = answers.iter().filter_map(link_message::cut).collect();
    Ok((links, cut))
}

/// Moves, renames and tags a device's interface in one message.
pub(crate) fn take(kernel: &mut LinuxKernel, step: &TakeDevice) -> Result<(), KernelError> {
    let object = format!("{} into the sandbox as {}", step.device, step.name);
    let namespace = kernel.sandbox()?.descriptor();
    let mut attributes = vec![
        LinkAttribute::NetNsFd(namespace),
        LinkAttribute::IfName(step.name.to_string()),
        LinkAttribute::IfAlias(step.tag.to_string()),
    ];
    attributes.extend(step.mtu.map(LinkAttribute::Mtu));
    kernel.forget(Place::Sandbox, &step.name);
    if kernel.sysfs.interface_index(step.device) != Some(step.index) {
        // Its number may be another link's by now.
        let reason = "its interface is not where it was when it was chosen: somebody took it";
        let done = is_inside(kernel, step)?;
        return if done { Ok(()) } else { Err(KernelError::absent(object, reason)) };
    }
    set(&mut kernel.host, numbered(step.index, attributes)).map_err(refused("move", object))
}

/// Whether an earlier try moved the device already: a repeated step finds its own work.
fn is_inside(kernel: &mut LinuxKernel, step: &TakeDevice) -> Result<bool, KernelError> {
    let there = by_name(kernel.netlink(Place::Sandbox)?, &step.name)?;
    Ok(there.is_some_and(|there| there.parent == Some(step.device)))
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
    set(kernel.netlink(place)?, message).map_err(refused("bring up", name))
}

/// Deletes a link of ours; one that is gone is gone. On the host nobody renames it, so only the sandbox is searched.
pub(crate) fn delete(kernel: &mut LinuxKernel, step: &OwnLink) -> Result<(), KernelError> {
    kernel.forget(step.place, &step.name);
    let netlink = kernel.netlink(step.place)?;
    let named = by_name(netlink, &step.name)?;
    if step.place == Place::Host && named.as_ref().is_some_and(|named| !step.is(named)) {
        tracing::warn!(link = %step.name, "it has neither the address nor the tag that it was given, and is left alone");
    }
    let mut found = named.filter(|found| step.is(found));
    if found.is_none() && step.place == Place::Sandbox {
        found = all(netlink)?.into_iter().find(|found| step.is(found));
    }
    let Some(found) = found else { return Ok(()) };
    let message = RouteNetlinkMessage::DelLink(numbered(found.index, Vec::new()));
    match netlink.change(message, 0) {
        Err(refusal) if refusal.errno == Errno::ENODEV => Ok(()),
        other => other.map_err(refused("delete", format_args!("link {}", step.name))),
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
pub(crate) fn get(mut message: LinkMessage) -> RouteNetlinkMessage {
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    RouteNetlinkMessage::GetLink(message)
}

pub(super) fn message_with(attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes = attributes;
    message
}

fn found(answer: Result<Message, Refusal>, object: &str) -> Result<Option<Link>, KernelError> {
    there(answer, object)?.map(|message| read(&message, object)).transpose()
}

/// The answer to a question about one link; `None` when there is no such link.
fn there(answer: Result<Message, Refusal>, object: &str) -> Result<Option<Message>, KernelError> {
    match answer {
        Ok(message) => Ok(Some(message)),
        Err(refusal) if refusal.errno == Errno::ENODEV => Ok(None),
        Err(refusal) => Err(refused("look at", object)(refusal)),
    }
}

fn read(message: &Message, object: &str) -> Result<Link, KernelError> {
    link_message::read(message).ok_or_else(|| KernelError::Answer {
        operation: "look at an interface",
        reason: format!("what came for {object} tells of no link"),
    })
}

/// Makes a refusal an error with its operation and object.
pub(crate) fn refused(
    operation: &'static str,
    object: impl fmt::Display,
) -> impl FnOnce(Refusal) -> KernelError {
    move |source| KernelError::Refused { operation, object: object.to_string(), source }
}
