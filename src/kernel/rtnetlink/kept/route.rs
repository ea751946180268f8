//! Routes by an interface that is given away whole, of all tables (`struct rtmsg` of `linux/rtnetlink.h`). What routers tell of is not kept:
//! the kernel asks them again when the interface comes up.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE};
use netlink_packet_route::{RouteNetlinkMessage, route::RouteMessage};
use nix::{errno::Errno, libc};

use super::part::{body, left, part};
use crate::{
    inventory::{Kept, KeptPart, Link, Use},
    kernel::{
        KernelError, Refusal,
        netlink::{
            attribute::{append, elements, find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::{address::ip, link::refused},
    },
    kill_point,
};

const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const HEADER: usize = 12;
const BY_KERNEL: u8 = 2;
const BY_ROUTERS: u8 = 9;
/// On the link though no address says so, and far from where it is known.
const SET_FLAGS: u32 = 2 | 4;
const CLONED: u32 = 0x200;

mod attribute {
    pub(super) const TO: u16 = 1;
    pub(super) const BY: u16 = 4;
    pub(super) const GATEWAY: u16 = 5;
    pub(super) const SOURCE: u16 = 7;
    pub(super) const HOPS: u16 = 9;
    pub(super) const LIVES: u16 = 12;
    pub(super) const TABLE: u16 = 15;
    pub(super) const VIA: u16 = 18;
    pub(super) const EXPIRES: u16 = 23;
    pub(super) const NEXTHOP: u16 = 30;
}

/// Those that are kept, and those that could not be put back: each is a use.
pub(super) fn look(
    netlink: &mut Netlink,
    link: &Link,
) -> Result<(Vec<KeptPart>, Vec<Use>), KernelError> {
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetRoute(RouteMessage::default()))
        .map_err(refused("list", "the host's routes"))?;
    let (mut kept, mut against) = (Vec::new(), Vec::new());
    for route in answers.iter().filter_map(Seen::of) {
        match route.against(link) {
            Some(why) => against.push(Use::NotPutBack(why)),
            None if route.leaves_by(link.index) && route.protocol() != BY_ROUTERS => {
                kept.push(route.kept());
            }
            None => {}
        }
    }
    Ok((kept, against))
}

/// A route of anybody's, but for those that the kernel keeps for itself.
struct Seen<'a> {
    header: [u8; HEADER],
    attributes: &'a [u8],
}

impl<'a> Seen<'a> {
    fn of(message: &'a Message) -> Option<Self> {
        let header = *message.body.first_chunk::<HEADER>()?;
        let seen = Self { header, attributes: &message.body[HEADER..] };
        let known = [libc::AF_INET, libc::AF_INET6].contains(&i32::from(header[0]));
        let is_own = header[4] == libc::RT_TABLE_LOCAL && seen.protocol() == BY_KERNEL;
        let is_copy = word(&header[8..])? & CLONED != 0;
        (message.kind == NEW_ROUTE && known && !is_own && !is_copy).then_some(seen)
    }

    fn protocol(&self) -> u8 {
        self.header[5]
    }

    fn number(&self, kind: u16) -> Option<u32> {
        find(self.attributes, kind).and_then(word)
    }

    fn leaves_by(&self, index: u32) -> bool {
        self.number(attribute::BY) == Some(index)
    }

    /// Why it would not come back as it is.
    fn against(&self, link: &Link) -> Option<String> {
        let hops = find(self.attributes, attribute::HOPS);
        if hops.is_some_and(|hops| has_hop_by(hops, link.index)) {
            return Some(format!("route {}, which has several next hops", self.shown()));
        }
        if !self.leaves_by(link.index) {
            let source = find(self.attributes, attribute::SOURCE);
            let source = source.and_then(|bytes| ip(self.header[0], bytes))?;
            let own = link.addresses.iter().any(|address| address.addr() == source);
            return own
                .then(|| format!("route {} by another interface from its address", self.shown()));
        }
        let by_object = self.number(attribute::NEXTHOP).is_some();
        by_object.then(|| format!("route {}, which names a nexthop object", self.shown()))
    }

    fn kept(&self) -> KeptPart {
        let mut header = self.header;
        let flags = word(&header[8..]).unwrap_or(0) & SET_FLAGS;
        header[8..].copy_from_slice(&flags.to_ne_bytes());
        let own = |kind| ![attribute::BY, attribute::LIVES, attribute::EXPIRES].contains(&kind);
        let mut bytes = body(&header, self.attributes, own);
        // `struct rta_cacheinfo` tells in hundredths of seconds what is set in seconds.
        let lives = find(self.attributes, attribute::LIVES).and_then(|lives| word(lives.get(8..)?));
        if let Some(ends) = lives.filter(|ends| (1..=u32::MAX >> 1).contains(ends)) {
            append(&mut bytes, attribute::EXPIRES, &ends.div_ceil(100).to_ne_bytes());
        }
        part(self.shown(), bytes)
    }

    fn to(&self) -> Option<IpNet> {
        let [family, length, ..] = self.header;
        let any = || match i32::from(family) {
            libc::AF_INET6 => IpAddr::from([0; 16]),
            _ => IpAddr::from([0; 4]),
        };
        let to = match find(self.attributes, attribute::TO) {
            Some(bytes) => ip(family, bytes)?,
            None => any(),
        };
        IpNet::new(to, length).ok()
    }

    fn shown(&self) -> String {
        let to = self.to().map_or_else(|| "?".to_owned(), |to| to.to_string());
        let table = self.number(attribute::TABLE).unwrap_or(self.header[4].into());
        let via = find(self.attributes, attribute::GATEWAY);
        let via = via.and_then(|bytes| ip(self.header[0], bytes));
        let via = via.map(|via| format!(" via {via}")).unwrap_or_default();
        if table == u32::from(libc::RT_TABLE_MAIN) {
            format!("{to}{via}")
        } else {
            format!("{to}{via} table {table}")
        }
    }
}

/// Whether one of several hops (`struct rtnexthop`, one after the other) leads by this interface. One whose length is a lie ends them.
fn has_hop_by(mut hops: &[u8], index: u32) -> bool {
    let each = std::iter::from_fn(|| {
        let [low, high, _, _, by @ ..] = *hops.first_chunk::<8>()?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        hops = hops.get(length.max(8).next_multiple_of(4)..).unwrap_or_default();
        Some(u32::from_ne_bytes(by))
    });
    each.into_iter().any(|by| by == index)
}

/// What makes two of them the same: not how long they last.
fn key(part: &KeptPart) -> Vec<u8> {
    let bytes = &part.message.0;
    let attributes = bytes.get(HEADER..).unwrap_or_default();
    let own = |kind| kind != attribute::EXPIRES;
    body(bytes.get(..HEADER).unwrap_or_default(), attributes, own)
}

/// Puts back those that are missing, and takes off what the kernel made of the addresses where the host had no such route.
pub(super) fn put_back(
    netlink: &mut Netlink,
    link: &Link,
    kept: &Kept,
    gone: u64,
) -> Result<Vec<String>, KernelError> {
    let (there, _) = look(netlink, link)?;
    for extra in super::lacking(&there, &kept.routes, key) {
        if is_of_kernel(extra) && is_network_of(extra, &kept.addresses) {
            let _ = change(netlink, extra, link.index, DELETE_ROUTE, gone);
        }
    }
    let mut left = super::lacking(&kept.routes, &there, key);
    // A gateway is reached by another route, so those that need none come first, and the rest as long as one more is taken.
    left.sort_by_key(|route| has_gateway(route));
    let mut refused = Vec::new();
    while !left.is_empty() {
        let before = left.len();
        refused.clear();
        left.retain(|route| match change(netlink, route, link.index, NEW_ROUTE, gone) {
            Ok(()) => false,
            Err(refusal) if refusal.errno == Errno::EEXIST => false,
            Err(refusal) => {
                refused.push(format!("route {} is missing: {refusal}", route.what));
                true
            }
        });
        if left.len() == before {
            return Ok(refused);
        }
    }
    let (there, _) = look(netlink, link)?;
    let left = super::lacking(&kept.routes, &there, key).into_iter();
    let alive = left.filter(|route| !is_over(route, gone));
    Ok(alive.map(|route| format!("route {} is missing", route.what)).collect())
}

fn is_of_kernel(route: &KeptPart) -> bool {
    route.message.0.get(5) == Some(&BY_KERNEL)
}

fn is_network_of(route: &KeptPart, addresses: &[KeptPart]) -> bool {
    let to: Option<IpNet> = route.what.split(' ').next().and_then(|to| to.parse().ok());
    let networks = addresses.iter().filter_map(|address| address.what.parse::<IpNet>().ok());
    to.is_some_and(|to| networks.map(|net| net.trunc()).any(|net| net == to))
}

fn has_gateway(route: &KeptPart) -> bool {
    let attributes = route.message.0.get(HEADER..).unwrap_or_default();
    elements(attributes).any(|(kind, _)| [attribute::GATEWAY, attribute::VIA].contains(&kind))
}

fn expires(route: &KeptPart) -> Option<u32> {
    find(route.message.0.get(HEADER..)?, attribute::EXPIRES).and_then(word)
}

fn is_over(route: &KeptPart, gone: u64) -> bool {
    expires(route).is_some_and(|ends| left(ends, gone).is_none())
}

fn change(
    netlink: &mut Netlink,
    route: &KeptPart,
    index: u32,
    kind: u16,
    gone: u64,
) -> Result<(), Refusal> {
    if kind == NEW_ROUTE && is_over(route, gone) {
        return Ok(());
    }
    let mut body = key(route);
    append(&mut body, attribute::BY, &index.to_ne_bytes());
    if let Some(ends) = expires(route).and_then(|ends| left(ends, gone)) {
        append(&mut body, attribute::EXPIRES, &ends.to_ne_bytes());
    }
    // Of IPv4's to one destination the first wins: they come in their order. IPv6 would make one of two.
    let is_ipv4 = body.first().copied().map(i32::from) == Some(libc::AF_INET);
    let how = match (kind, is_ipv4) {
        (NEW_ROUTE, true) => NLM_F_CREATE | NLM_F_APPEND,
        (NEW_ROUTE, false) => NLM_F_CREATE,
        _ => 0,
    };
    kill_point::around(
        || format!("put back route {}", route.what),
        || netlink.change_ready(&Message { kind, body }, how),
    )
}
