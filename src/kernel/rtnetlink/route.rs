//! Routes: added, deleted, and those of a sandbox looked up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    RouteNetlinkMessage,
    route::{
        RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
    },
};
use nix::{errno::Errno, libc};

use crate::{
    inventory::{Link, Route},
    kernel::{
        KernelError, LinuxKernel,
        netlink::{
            attribute::{elements, find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::{
            address::{family_of, ip},
            link::refused,
        },
    },
    plan::step::Place,
};

/// The kind of a message that tells of a route (`RTM_NEWROUTE`).
const NEW_ROUTE: u16 = 24;

/// The length of `struct rtmsg`.
const HEADER: usize = 12;

/// Adds a route, or puts it in the place of the one with its destination and metric.
pub(crate) fn add(
    kernel: &mut LinuxKernel,
    place: Place,
    route: &Route,
) -> Result<(), KernelError> {
    let message = encode(kernel, place, route)?;
    kernel
        .netlink(place)?
        .change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
        .map_err(refused("add route", shown(route)))
}

/// Deletes a route; one that is gone is gone, and so is one whose interface is.
pub(crate) fn delete(
    kernel: &mut LinuxKernel,
    place: Place,
    route: &Route,
) -> Result<(), KernelError> {
    let message = match encode(kernel, place, route) {
        Err(KernelError::LinkGone { .. }) => return Ok(()),
        other => other?,
    };
    match kernel.netlink(place)?.change(RouteNetlinkMessage::DelRoute(message), 0) {
        Err(refusal) if refusal.errno == Errno::ESRCH => Ok(()),
        other => other.map_err(refused("delete route", shown(route))),
    }
}

/// The unicast routes of the main table that have one next hop.
pub(crate) fn all(netlink: &mut Netlink, links: &[Link]) -> Result<Vec<Route>, KernelError> {
    let mut found = Vec::new();
    for ipv6 in [false, true] {
        let mut request = RouteMessage::default();
        request.header.address_family = family_of(any(ipv6));
        let answers = netlink
            .dump(&RouteNetlinkMessage::GetRoute(request))
            .map_err(refused("list", "routes"))?;
        found.extend(of_family(&answers, ipv6, links));
    }
    Ok(found)
}

/// The routes among the answers to a request for one family. A kernel without IPv6 answers for it with the routes of every
/// family that it has.
fn of_family(answers: &[Message], ipv6: bool, links: &[Link]) -> impl Iterator<Item = Route> {
    let routes = answers.iter().filter_map(|answer| read(answer, links));
    routes.filter(move |route| route.to.addr().is_ipv6() == ipv6)
}

/// Whether the kernel keeps what is sent to `address` for itself, alone or with others (broadcast, anycast). An address that has no
/// way, or whose family is switched off, is not its own.
pub(crate) fn is_own(netlink: &mut Netlink, address: IpAddr) -> Result<bool, KernelError> {
    let mut request = RouteMessage::default();
    request.header.address_family = family_of(address);
    request.header.destination_prefix_length = if address.is_ipv6() { 128 } else { 32 };
    request.attributes.push(RouteAttribute::Destination(address.into()));
    match netlink.get(RouteNetlinkMessage::GetRoute(request)) {
        Ok(found) => Ok(kind_of(&found).is_some_and(|kind| KEPT.contains(&kind))),
        Err(refusal) if LEADS_NOWHERE.contains(&refusal.errno) => Ok(false),
        Err(refusal) => Err(refused("look up the host's way to", address.to_string())(refusal)),
    }
}

/// The kinds of routes that lead nowhere else than here.
const KEPT: [u8; 4] =
    [libc::RTN_LOCAL, libc::RTN_BROADCAST, libc::RTN_ANYCAST, libc::RTN_MULTICAST];

/// The kind of the route that a message tells of (`rtm_type`).
fn kind_of(message: &Message) -> Option<u8> {
    message.body.get(7).copied()
}

/// What is said of an address without a route, or with one that refuses, and of a family that is switched off.
const LEADS_NOWHERE: [Errno; 8] = [
    Errno::ENETUNREACH,
    Errno::EHOSTUNREACH,
    Errno::EACCES,
    Errno::EINVAL,
    Errno::EAGAIN,
    Errno::EAFNOSUPPORT,
    Errno::EOPNOTSUPP,
    Errno::ENETDOWN,
];

/// Where the routes lead that leave by an interface and that the kernel did not make by itself, each with its table. The kernel
/// picks them out of all tables of both families.
pub(crate) fn leaving_by(
    netlink: &mut Netlink,
    index: u32,
) -> Result<Vec<(IpNet, u32)>, KernelError> {
    let mut request = RouteMessage::default();
    request.attributes = vec![RouteAttribute::Oif(index)];
    let answers = match netlink.dump(&RouteNetlinkMessage::GetRoute(request)) {
        // It vanished since it was looked at.
        Err(refusal) if refusal.errno == Errno::ENODEV => Vec::new(),
        other => other.map_err(refused("list", format!("routes by interface number {index}")))?,
    };
    Ok(answers.iter().filter_map(by_somebody).collect())
}

fn by_somebody(message: &Message) -> Option<(IpNet, u32)> {
    let [family, length, _, _, table, protocol, ..] = message.body.first_chunk::<HEADER>()?;
    (message.kind == NEW_ROUTE && *protocol != libc::RTPROT_KERNEL).then_some(())?;
    let attributes = &message.body[HEADER..];
    let to = match find(attributes, libc::RTA_DST) {
        Some(bytes) => ip(*family, bytes)?,
        None => any(i32::from(*family) == libc::AF_INET6),
    };
    let table = find(attributes, libc::RTA_TABLE).and_then(word).unwrap_or((*table).into());
    Some((IpNet::new(to, *length).ok()?, table))
}

/// The route that a message tells of (`struct rtmsg` of `linux/rtnetlink.h`), if it is of the kind wanted.
pub(crate) fn read(message: &Message, links: &[Link]) -> Option<Route> {
    const ONLINK: u32 = 4;
    let header = message.body.first_chunk::<HEADER>()?;
    let [family, length, _, _, table, protocol, _, kind, flags @ ..] = header;
    let wanted =
        message.kind == NEW_ROUTE && *kind == libc::RTN_UNICAST && *table == libc::RT_TABLE_MAIN;
    let ipv6 = i32::from(*family) == libc::AF_INET6;
    wanted.then_some(())?;
    let (mut to, mut via, mut source, mut interface, mut metric) = (any(ipv6), None, None, None, 0);
    let mut other = Vec::new();
    for (kind, value) in elements(&message.body[HEADER..]) {
        match kind {
            libc::RTA_DST => to = ip(*family, value)?,
            libc::RTA_GATEWAY => via = ip(*family, value),
            libc::RTA_PREFSRC => source = ip(*family, value),
            libc::RTA_OIF => interface = links.iter().find(|link| Some(link.index) == word(value)),
            libc::RTA_PRIORITY => metric = word(value)?,
            // The table is the main one, and how often the route was used is no part of it.
            libc::RTA_TABLE | libc::RTA_CACHEINFO => {}
            kept => other.push((kept, value.to_vec())),
        }
    }
    Some(Route {
        to: IpNet::new(to, *length).ok()?,
        via,
        interface: interface?.name.as_str()?.parse().ok()?,
        source,
        onlink: word(flags)? & ONLINK != 0,
        metric,
        protocol: *protocol,
        other,
    })
}

fn encode(
    kernel: &mut LinuxKernel,
    place: Place,
    route: &Route,
) -> Result<RouteMessage, KernelError> {
    let mut message = RouteMessage::default();
    message.header.address_family = family_of(route.to.addr());
    message.header.destination_prefix_length = route.to.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::from(route.protocol);
    message.header.kind = RouteType::Unicast;
    let on_link = route.via.is_none() && !route.to.addr().is_ipv6();
    message.header.scope = if on_link { RouteScope::Link } else { RouteScope::Universe };
    if route.onlink {
        message.header.flags = RouteFlags::Onlink;
    }
    message.attributes.push(RouteAttribute::Oif(kernel.index(place, &route.interface)?));
    if route.to.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(route.to.addr().into()));
    }
    message.attributes.extend(route.via.map(|via| RouteAttribute::Gateway(via.into())));
    let source = route.source.map(|source| RouteAttribute::PrefSource(source.into()));
    message.attributes.extend(source);
    if route.metric > 0 {
        message.attributes.push(RouteAttribute::Priority(route.metric));
    }
    for (kind, value) in &route.other {
        let kept = DefaultNla::new(*kind, value.clone());
        message.attributes.push(RouteAttribute::Other(kept));
    }
    Ok(message)
}

fn any(ipv6: bool) -> IpAddr {
    if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

fn shown(route: &Route) -> String {
    let via = route.via.map(|via| format!(" via {via}")).unwrap_or_default();
    format!("{}{via} dev {}", route.to, route.interface)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::InterfaceName;

    #[test]
    fn a_route_of_another_family_answers_nothing() {
        let mut body = vec![2, 0, 0, 0, libc::RT_TABLE_MAIN, 0, 0, libc::RTN_UNICAST, 0, 0, 0, 0];
        body.extend([8, 0, 4, 0, 0, 0, 0, 0]);
        let answers = [Message { kind: 24, body }];
        let links =
            [crate::kernel::fake::plain_link("lan0".parse::<InterfaceName>().unwrap(), None)];
        assert_eq!(of_family(&answers, false, &links).count(), 1);
        assert_eq!(of_family(&answers, true, &links).count(), 0);
    }
}
