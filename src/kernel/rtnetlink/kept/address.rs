//! Addresses of an interface that is given away whole (`struct ifaddrmsg` of `linux/if_addr.h`). Those that the kernel makes by itself, of
//! an interface's MAC or for a while, it makes again.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{RouteNetlinkMessage, address::AddressMessage};
use nix::libc;

use super::{
    lacking, make,
    part::{body, left, numbered, part},
};
use crate::{
    inventory::{KeptPart, Link},
    kernel::{
        KernelError, Refusal,
        netlink::{
            attribute::{append, find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::{
            address::{is_made_of, read},
            link::refused,
        },
    },
};

const NEW_ADDRESS: u16 = 20;
const HEADER: usize = 8;

mod attribute {
    pub(super) const LIFETIMES: u16 = 6;
    pub(super) const FLAGS: u16 = 8;
}

mod flag {
    /// Of IPv6: one for a while, which the kernel makes beside one that lasts. Of IPv4: not the first of its network.
    pub(super) const TEMPORARY: u32 = 0x01;
    pub(super) const NODAD: u32 = 0x02;
    pub(super) const DAD_FAILED: u32 = 0x08;
    pub(super) const HOME: u32 = 0x10;
    pub(super) const TENTATIVE: u32 = 0x40;
    pub(super) const MANAGE_TEMPORARY: u32 = 0x100;
    pub(super) const NO_PREFIX_ROUTE: u32 = 0x200;
    pub(super) const MULTICAST_JOIN: u32 = 0x400;
    /// Those that somebody sets. The others tell how it stands with the address.
    pub(super) const SET: u32 = NODAD | HOME | MANAGE_TEMPORARY | NO_PREFIX_ROUTE | MULTICAST_JOIN;
}

/// In the order in which they are put back: of IPv4's the first is the one that packets leave with, of IPv6's that which came last.
pub(super) fn look(netlink: &mut Netlink, link: &Link) -> Result<Vec<KeptPart>, KernelError> {
    let mut request = AddressMessage::default();
    request.header.index = link.index;
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetAddress(request))
        .map_err(refused("list", format_args!("addresses of interface {}", link.name)))?;
    let of = |family: i32| {
        let is_of =
            move |answer: &&Message| answer.body.first().copied().map(i32::from) == Some(family);
        answers.iter().filter(is_of).filter_map(|answer| kept(answer, link)).collect::<Vec<_>>()
    };
    Ok(of(libc::AF_INET).into_iter().chain(of(libc::AF_INET6).into_iter().rev()).collect())
}

fn kept(message: &Message, link: &Link) -> Option<KeptPart> {
    let found = read(message).filter(|found| found.index == link.index)?;
    let [family, prefix_length, flags, scope, ..] = *message.body.first_chunk::<HEADER>()?;
    let attributes = &message.body[HEADER..];
    let flags = find(attributes, attribute::FLAGS).map_or(Some(flags.into()), word)?;
    let by_kernel = found.by_kernel || is_made_of(found.net.addr(), link);
    if by_kernel || (found.net.addr().is_ipv6() && flags & flag::TEMPORARY != 0) {
        return None;
    }
    let header = [family, prefix_length, 0, scope, 0, 0, 0, 0];
    let own = |kind| ![attribute::LIFETIMES, attribute::FLAGS].contains(&kind);
    let mut bytes = body(&header, attributes, own);
    append(&mut bytes, attribute::FLAGS, &flags.to_ne_bytes());
    let lifetimes = find(attributes, attribute::LIFETIMES).unwrap_or_default();
    append(&mut bytes, attribute::LIFETIMES, lifetimes);
    Some(part(found.net.to_string(), bytes))
}

/// What makes two of them the same: neither how long they last nor how it stands with them.
fn key(part: &KeptPart) -> Vec<u8> {
    let bytes = &part.message.0;
    let attributes = bytes.get(HEADER..).unwrap_or_default();
    let own = |kind| ![attribute::LIFETIMES, attribute::FLAGS].contains(&kind);
    let mut key = body(bytes.get(..HEADER).unwrap_or_default(), attributes, own);
    append(&mut key, attribute::FLAGS, &(flags_of(attributes) & flag::SET).to_ne_bytes());
    key
}

fn flags_of(attributes: &[u8]) -> u32 {
    find(attributes, attribute::FLAGS).and_then(word).unwrap_or(0)
}

/// One whose time is over is not put back, and not missed.
pub(super) fn put_back(
    netlink: &mut Netlink,
    link: &Link,
    kept: &[KeptPart],
    gone: u64,
) -> Result<Vec<String>, KernelError> {
    let there = look(netlink, link)?;
    let alive =
        lacking(kept, &there, key).into_iter().filter(|part| lifetimes(part, gone).is_some());
    let add = |netlink: &mut Netlink, part: &KeptPart| add(netlink, part, link.index, gone);
    let missing = make(netlink, alive.collect(), add, "address");
    if !missing.is_empty() {
        return Ok(missing);
    }
    let there = look(netlink, link)?;
    let left = lacking(kept, &there, key).into_iter();
    let left = left.filter(|part| lifetimes(part, gone).is_some());
    Ok(left.map(|part| format!("address {} is missing", part.what)).collect())
}

/// How long it is preferred and valid from now on; `None` when it is over.
fn lifetimes(part: &KeptPart, gone: u64) -> Option<(u32, u32)> {
    let attributes = part.message.0.get(HEADER..)?;
    let Some(told) = find(attributes, attribute::LIFETIMES) else {
        return Some((u32::MAX, u32::MAX));
    };
    let (preferred, valid) =
        word(told).zip(told.get(4..).and_then(word)).unwrap_or((u32::MAX, u32::MAX));
    Some((left(preferred, gone).unwrap_or(0), left(valid, gone)?))
}

fn add(netlink: &mut Netlink, part: &KeptPart, index: u32, gone: u64) -> Result<(), Refusal> {
    let Some((preferred, valid)) = lifetimes(part, gone) else { return Ok(()) };
    let bytes = &part.message.0;
    let attributes = bytes.get(HEADER..).unwrap_or_default();
    let flags = flags_of(attributes);
    let with = |flags: u32| {
        let own = |kind| ![attribute::LIFETIMES, attribute::FLAGS].contains(&kind);
        let mut body = body(bytes.get(..HEADER).unwrap_or_default(), attributes, own);
        append(&mut body, attribute::FLAGS, &flags.to_ne_bytes());
        let times = [preferred, valid, 0, 0].map(u32::to_ne_bytes).concat();
        append(&mut body, attribute::LIFETIMES, &times);
        numbered(NEW_ADDRESS, &body, index)
    };
    let set = flags & flag::SET;
    // The host had proven it before, and what leaves from it is to be put back at once: a route whose source is not proven yet is refused.
    let proven = flags & (flag::NODAD | flag::TENTATIVE | flag::DAD_FAILED) == 0;
    if bytes.first().copied().map(i32::from) == Some(libc::AF_INET6) && proven {
        netlink.change_ready(&with(set | flag::NODAD), NLM_F_CREATE | NLM_F_REPLACE)?;
    }
    netlink.change_ready(&with(set), NLM_F_CREATE | NLM_F_REPLACE)
}
