//! Addresses: added in the sandbox, and looked up on the host to know whether a device is in use.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::{IpNet, Ipv4Net};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressMessage},
};

use crate::{
    kernel::{
        KernelError, LinuxKernel,
        netlink::{
            attribute::{find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::link::refused,
    },
    plan::step::Place,
    types::InterfaceName,
};
use nix::{errno::Errno, libc};

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
    let answers = match netlink.dump(&RouteNetlinkMessage::GetAddress(message)) {
        // It vanished since it was looked at; whoever uses it next is told.
        Err(refusal) if refusal.errno == Errno::ENODEV => Vec::new(),
        other => {
            other.map_err(refused("list", format!("addresses of interface number {index}")))?
        }
    };
    Ok(answers.iter().filter_map(|answer| read(answer, Some(index))).collect())
}

/// Addresses of global scope that are lent, by the number of their interface: they have an end (`IFA_F_PERMANENT`).
pub(crate) fn lent(netlink: &mut Netlink) -> Result<BTreeMap<u32, Vec<IpNet>>, KernelError> {
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))
        .map_err(refused("list", "the host's addresses"))?;
    let mut lent: BTreeMap<u32, Vec<IpNet>> = BTreeMap::new();
    for answer in answers.iter().filter(|answer| ends(answer)) {
        let index = answer.body.get(4..).and_then(word);
        if let Some((index, address)) = index.zip(read(answer, None)) {
            lent.entry(index).or_default().push(address);
        }
    }
    Ok(lent)
}

fn ends(message: &Message) -> bool {
    const PERMANENT: u8 = 0x80;
    message.body.get(2).is_some_and(|flags| flags & PERMANENT == 0)
}

/// The addresses of global scope that any interface has, each once, in their order.
pub(crate) fn all_global(netlink: &mut Netlink) -> Result<Vec<IpAddr>, KernelError> {
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))
        .map_err(refused("list", "the host's addresses"))?;
    let found: BTreeSet<IpAddr> =
        answers.iter().filter_map(|answer| read(answer, None)).map(|net| net.addr()).collect();
    Ok(found.into_iter().collect())
}

/// The address that a message tells of (`struct ifaddrmsg` of `linux/if_addr.h`), if it is of global scope and on the
/// interface asked for.
pub(crate) fn read(message: &Message, index: Option<u32>) -> Option<IpNet> {
    const NEW_ADDRESS: u16 = 20;
    const GLOBAL: u8 = 0;
    const HEADER: usize = 8;
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    let [family, prefix_length, _, scope, on @ ..] = message.body.first_chunk::<HEADER>()?;
    let other = index.is_some_and(|index| word(on) != Some(index));
    if message.kind != NEW_ADDRESS || other || *scope != GLOBAL {
        return None;
    }
    let attributes = &message.body[HEADER..];
    // On a point-to-point link `ADDRESS` is the peer's; IPv6 has only that one otherwise.
    let bytes = find(attributes, LOCAL).or_else(|| find(attributes, ADDRESS))?;
    IpNet::new(ip(*family, bytes)?, *prefix_length).ok()
}

/// The address that an attribute of a message of this family holds.
pub(crate) fn ip(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => Some(<[u8; 4]>::try_from(bytes).ok()?.into()),
        libc::AF_INET6 => Some(<[u8; 16]>::try_from(bytes).ok()?.into()),
        _ => None,
    }
}

fn broadcast(net: Ipv4Net) -> Option<std::net::Ipv4Addr> {
    (net.prefix_len() < 31).then(|| net.broadcast())
}

pub(crate) fn family_of(address: IpAddr) -> AddressFamily {
    if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet }
}
