//! Addresses: added in the sandbox, and looked up on the host to know whether a device is in use.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::{IpNet, Ipv4Net};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope},
};

use crate::kernel::{KernelError, LinuxKernel, netlink::socket::Netlink, rtnetlink::link::refused};
use crate::{plan::step::Place, types::InterfaceName};

/// Adds an address that is usable at once: duplicate address detection would keep an IPv6 one tentative for a second,
/// and vfhook gives no address twice.
pub(crate) fn add(
    kernel: &mut LinuxKernel,
    name: &InterfaceName,
    address: IpNet,
) -> Result<(), KernelError> {
    let index = kernel.index(Place::Sandbox, name)?;
    let mut message = AddressMessage::default();
    message.header.family = family_of(address.addr());
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.attributes =
        vec![AddressAttribute::Address(address.addr()), AddressAttribute::Local(address.addr())];
    match address {
        IpNet::V4(net) => {
            message.attributes.extend(broadcast(net).map(AddressAttribute::Broadcast));
        }
        IpNet::V6(_) => message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad)),
    }
    kernel
        .netlink(Place::Sandbox)?
        .change(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
        .map_err(refused("add address", format!("{address} to {name}")))
}

/// The addresses of global scope that an interface has.
pub(crate) fn global(netlink: &mut Netlink, index: u32) -> Result<Vec<IpNet>, KernelError> {
    let mut message = AddressMessage::default();
    message.header.index = index;
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetAddress(message))
        .map_err(refused("list", format!("addresses of interface number {index}")))?;
    Ok(answers.iter().filter_map(|answer| parse(answer, Some(index))).collect())
}

/// The addresses of global scope that any interface has, each once, in their order.
pub(crate) fn all_global(netlink: &mut Netlink) -> Result<Vec<IpAddr>, KernelError> {
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))
        .map_err(refused("list", "the host's addresses"))?;
    let found: BTreeSet<IpAddr> =
        answers.iter().filter_map(|answer| parse(answer, None)).map(|net| net.addr()).collect();
    Ok(found.into_iter().collect())
}

/// The address that a message tells of, if it is of global scope and on the interface asked for.
pub(crate) fn parse(answer: &RouteNetlinkMessage, index: Option<u32>) -> Option<IpNet> {
    let RouteNetlinkMessage::NewAddress(message) = answer else { return None };
    let other = index.is_some_and(|index| message.header.index != index);
    if other || message.header.scope != AddressScope::Universe {
        return None;
    }
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let other = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    // On a point-to-point link the other one is the peer's; IPv6 has only that one otherwise.
    let address = local.or(other)?;
    IpNet::new(address, message.header.prefix_len).ok()
}

fn broadcast(net: Ipv4Net) -> Option<std::net::Ipv4Addr> {
    (net.prefix_len() < 31).then(|| net.broadcast())
}

pub(crate) fn family_of(address: IpAddr) -> AddressFamily {
    if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet }
}
