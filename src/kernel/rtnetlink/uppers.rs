//! What stands on the interface of a device that is to come back (vlan, macvlan, ipvlan …): found and deleted. It would send, receive and
//! listen on the device of whoever has that next, because the kernel lets it stand when the interface below it moves away. Knows
//! nothing of whose it is: only what stands on this one interface is touched.

use std::os::fd::AsRawFd;

use netlink_packet_core::DefaultNla;
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::LinkAttribute,
    nsid::{NsidAttribute, NsidMessage},
};
use nix::errno::Errno;

use crate::{
    inventory::{Below, Link},
    kernel::{
        KernelError, LinuxKernel,
        netlink::{
            attribute::{find, signed},
            socket::{Message, Netlink},
        },
        netns,
        rtnetlink::{
            link::{self, numbered, refused},
            link_message,
        },
    },
    plan::step::Place,
};

/// How often a sandbox is looked through: what it puts on what stands on the interface while that is deleted stands on the interface.
const ROUNDS: usize = 8;

/// `IFLA_TARGET_NETNSID` of `linux/if_link.h`: in which namespace a request is to be done.
const TARGET_NAMESPACE: u16 = 46;

/// Deletes those of `links` that stand on the interface with this number in the same namespace.
pub(crate) fn delete_here(
    netlink: &mut Netlink,
    links: &[Link],
    lower: u32,
) -> Result<(), KernelError> {
    let on_it = Some(Below { index: lower, namespace: None });
    delete(netlink, links.iter().filter(|link| link.below == on_it), None)
}

/// Deletes what stands on the host's interface with this number in the sandbox, and in the namespaces that the sandbox knows of: one
/// that a link was moved to from here is among them. Since the interface is out of the sandbox, nothing new can be put on it but by
/// what stands on it already.
pub(crate) fn delete_from_afar(kernel: &mut LinuxKernel, lower: u32) -> Result<(), KernelError> {
    let own = netns::own()?;
    let Ok(netlink) = kernel.netlink(Place::Sandbox) else { return Ok(()) };
    // The host's number here is asked for only where something could stand on the interface.
    let mut host = None;
    for _ in 0..ROUNDS {
        let links = link::all(netlink)?;
        let mut suspects = links.into_iter().filter(|link| is_below(link, lower)).peekable();
        if suspects.peek().is_none() {
            break;
        }
        host = number_of(netlink, &own)?;
        let found: Vec<Link> = suspects.filter(|link| is_of(link, host)).collect();
        if found.is_empty() {
            break;
        }
        delete(netlink, found.iter(), None)?;
    }
    let others = namespaces(netlink)?;
    if others.is_empty() {
        return Ok(());
    }
    if host.is_none() {
        host = number_of(netlink, &own)?;
    }
    for other in others.into_iter().filter(|other| Some(*other) != host) {
        for _ in 0..ROUNDS {
            // It may be gone by now, and everything in it.
            let Ok(links) = all_in(netlink, other) else { break };
            let found: Vec<Link> = links
                .into_iter()
                .filter(|link| is_below(link, lower) && is_of(link, host))
                .collect();
            if found.is_empty() {
                break;
            }
            delete(netlink, found.iter(), Some(other))?;
        }
    }
    Ok(())
}

fn is_below(link: &Link, lower: u32) -> bool {
    link.below.is_some_and(|below| below.index == lower && below.namespace.is_some())
}

fn is_of(link: &Link, host: Option<i32>) -> bool {
    host.is_some() && link.below.is_some_and(|below| below.namespace == host)
}

/// What is gone already, as it does with what it stands on, need not be deleted.
fn delete<'a>(
    netlink: &mut Netlink,
    links: impl Iterator<Item = &'a Link>,
    namespace: Option<i32>,
) -> Result<(), KernelError> {
    for link in links {
        tracing::warn!(link = %link.name, "deleting what stands on a device that goes back");
        let attributes = namespace.map(in_namespace).into_iter().collect();
        let message = RouteNetlinkMessage::DelLink(numbered(link.index, attributes));
        match netlink.change(message, 0) {
            Err(refusal) if refusal.errno != Errno::ENODEV => {
                let object = format!("link {}, which stands on the device", link.name);
                return Err(refused("delete", object)(refusal));
            }
            _ => {}
        }
    }
    Ok(())
}

fn in_namespace(number: i32) -> LinkAttribute {
    LinkAttribute::Other(DefaultNla::new(TARGET_NAMESPACE, number.to_ne_bytes().to_vec()))
}

/// Every link of a namespace that the socket's namespace knows by this number.
fn all_in(netlink: &mut Netlink, namespace: i32) -> Result<Vec<Link>, KernelError> {
    let request = link::get(numbered(0, vec![in_namespace(namespace)]));
    let answers =
        netlink.dump(&request).map_err(refused("list", "interfaces of another namespace"))?;
    Ok(answers.iter().filter_map(link_message::read).collect())
}

/// The numbers that other namespaces have in the socket's namespace.
fn namespaces(netlink: &mut Netlink) -> Result<Vec<i32>, KernelError> {
    let request = RouteNetlinkMessage::GetNsId(NsidMessage::default());
    let answers = netlink.dump(&request).map_err(refused("list", "namespaces"))?;
    Ok(answers.iter().filter_map(numbered_by).collect())
}

/// The number that `namespace` has in the socket's namespace; `None` where it has none, and so nothing there refers to it.
fn number_of(netlink: &mut Netlink, namespace: &std::fs::File) -> Result<Option<i32>, KernelError> {
    let descriptor = namespace.as_raw_fd().unsigned_abs();
    let mut request = NsidMessage::default();
    request.attributes = vec![NsidAttribute::Fd(descriptor)];
    let answer = netlink
        .get(RouteNetlinkMessage::GetNsId(request))
        .map_err(refused("look up", "the host's namespace as the sandbox knows it"))?;
    Ok(numbered_by(&answer).filter(|number| *number >= 0))
}

fn numbered_by(message: &Message) -> Option<i32> {
    const NEW_NAMESPACE: u16 = 88;
    // The attributes come after a byte of family and three of padding.
    let attributes = message.body.get(4..).filter(|_| message.kind == NEW_NAMESPACE)?;
    find(attributes, 1).and_then(signed)
}
