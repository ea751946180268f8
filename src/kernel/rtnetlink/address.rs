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
    inventory::Link,
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
        .map_err(refused("add address", format_args!("{address} to {name}")))
}

/// The addresses of an interface that somebody gave it: all but the link-local ones that the kernel makes for IPv6.
pub(crate) fn of_somebody(netlink: &mut Netlink, link: &Link) -> Result<Vec<IpNet>, KernelError> {
    let mut message = AddressMessage::default();
    message.header.index = link.index;
    let answers = match netlink.dump(&RouteNetlinkMessage::GetAddress(message)) {
        // It vanished since it was looked at; whoever uses it next is told.
        Err(refusal) if refusal.errno == Errno::ENODEV => Vec::new(),
        other => {
            other.map_err(refused("list", format_args!("addresses of interface {}", link.name)))?
        }
    };
    let given = answers.iter().filter_map(read).filter(|found| {
        found.index == link.index && !found.by_kernel && !is_made_of(found.net.addr(), link)
    });
    Ok(given.map(|found| found.net).collect())
}

/// Whether an address is the link-local one that is made of an interface's MAC (RFC 4291, appendix A): kernels before 5.18 do not
/// say who made an address.
pub(crate) fn is_made_of(address: IpAddr, link: &Link) -> bool {
    let IpAddr::V6(address) = address else { return false };
    let macs = [link.mac, link.permanent_mac];
    let mut made = macs.into_iter().flatten().map(|mac| {
        let mac = mac.bytes();
        let mut made = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, 0, 0, 0xff, 0xfe, 0, 0, 0];
        made[9..11].copy_from_slice(&mac[1..3]);
        made[13..].copy_from_slice(&mac[3..]);
        made
    });
    made.any(|made| made == address.octets())
}

/// Addresses of global scope that are lent, by the number of their interface: they have an end (`IFA_F_PERMANENT`).
pub(crate) fn lent(netlink: &mut Netlink) -> Result<BTreeMap<u32, Vec<IpNet>>, KernelError> {
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))
        .map_err(refused("list", "the host's addresses"))?;
    let mut lent: BTreeMap<u32, Vec<IpNet>> = BTreeMap::new();
    for answer in answers.iter().filter(|answer| ends(answer)) {
        if let Some(found) = read(answer).filter(|found| found.global) {
            lent.entry(found.index).or_default().push(found.net);
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
    let found: BTreeSet<IpAddr> = answers
        .iter()
        .filter_map(read)
        .filter(|found| found.global)
        .map(|found| found.net.addr())
        .collect();
    Ok(found.into_iter().collect())
}

/// The addresses of global scope that any interface has, with its number.
pub(crate) fn all(netlink: &mut Netlink) -> Result<BTreeSet<(u32, IpNet)>, KernelError> {
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))
        .map_err(refused("list", "addresses"))?;
    let global = answers.iter().filter_map(read).filter(|found| found.global);
    Ok(global.map(|found| (found.index, found.net)).collect())
}

/// An address as a message tells of it.
pub(crate) struct Found {
    /// The address.
    pub(crate) net: IpNet,
    /// The number of the interface that has it.
    pub(crate) index: u32,
    /// Whether it is of global scope.
    pub(crate) global: bool,
    /// Whether the kernel made it by itself, without anybody's word: link-local for IPv6.
    pub(crate) by_kernel: bool,
}

/// The address that a message tells of (`struct ifaddrmsg` of `linux/if_addr.h`).
pub(crate) fn read(message: &Message) -> Option<Found> {
    const NEW_ADDRESS: u16 = 20;
    const GLOBAL: u8 = 0;
    const HEADER: usize = 8;
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    const MADE_BY: u16 = 11;
    const KERNEL_LINK_LOCAL: u8 = 2;
    let [family, prefix_length, _, scope, on @ ..] = message.body.first_chunk::<HEADER>()?;
    (message.kind == NEW_ADDRESS).then_some(())?;
    let attributes = &message.body[HEADER..];
    // On a point-to-point link `ADDRESS` is the peer's; IPv6 has only that one otherwise.
    let bytes = find(attributes, LOCAL).or_else(|| find(attributes, ADDRESS))?;
    Some(Found {
        net: IpNet::new(ip(*family, bytes)?, *prefix_length).ok()?,
        index: word(on)?,
        global: *scope == GLOBAL,
        by_kernel: find(attributes, MADE_BY) == Some(&[KERNEL_LINK_LOCAL]),
    })
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
