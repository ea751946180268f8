//! Routes that are there, read from the messages that list them (`struct rtmsg` of `linux/rtnetlink.h`). Whoever may change a
//! namespace may make any route: what of one makes no sense is left out, and it ends the reading of no other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_route::{
    RouteNetlinkMessage,
    route::{RouteAttribute, RouteFlags, RouteMessage, RouteProtocol},
};
use nix::{errno::Errno, libc};

use crate::{
    inventory::{Hop, Link, Route, RouteFamilies, SeenRoute},
    kernel::{
        KernelError,
        netlink::{
            attribute::{find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::{
            address::{family_of, ip},
            link::refused,
        },
    },
};

/// The kind of a message that tells of a route (`RTM_NEWROUTE`).
const NEW_ROUTE: u16 = 24;

/// The length of `struct rtmsg`.
const HEADER: usize = 12;

/// A next hop that is on the link though no address says so (`RTNH_F_ONLINK`).
const ONLINK: u32 = 4;

/// The routes in the kernel's order, of these families, leading by these links.
pub(crate) fn all(
    netlink: &mut Netlink,
    families: RouteFamilies,
    links: &[Link],
) -> Result<Vec<SeenRoute>, KernelError> {
    let mut found = Vec::new();
    for (_, ipv6) in
        [(families.ipv4, false), (families.ipv6, true)].iter().filter(|(asked, _)| *asked)
    {
        let mut request = RouteMessage::default();
        request.header.address_family = family_of(any(*ipv6));
        let answers = netlink
            .dump(&RouteNetlinkMessage::GetRoute(request))
            .map_err(refused("list", "routes"))?;
        found.extend(of_family(&answers, *ipv6, links));
    }
    Ok(found)
}

/// The routes of the main table, of both families, that leave by this interface. The kernel leaves out the others itself.
pub(crate) fn by_link(netlink: &mut Netlink, link: &Link) -> Result<Vec<SeenRoute>, KernelError> {
    let mut found = Vec::new();
    for ipv6 in [false, true] {
        let mut request = RouteMessage::default();
        request.header.address_family = family_of(any(ipv6));
        request.attributes.push(RouteAttribute::Oif(link.index));
        let answers = netlink
            .dump(&RouteNetlinkMessage::GetRoute(request))
            .map_err(refused("list", format_args!("routes by {}", link.name)))?;
        found.extend(of_family(&answers, ipv6, std::slice::from_ref(link)));
    }
    found.retain(|route| route.is_main() && !route.hops.is_empty());
    Ok(found)
}

/// The routes of ours in the main table, of both families, each with the number of the interface that it leaves by. The kernel leaves
/// out the others itself.
pub(crate) fn of_ours(netlink: &mut Netlink) -> Result<Vec<(u32, Message)>, KernelError> {
    let mut found = Vec::new();
    for ipv6 in [false, true] {
        let mut request = RouteMessage::default();
        request.header.address_family = family_of(any(ipv6));
        request.header.table = libc::RT_TABLE_MAIN;
        request.header.protocol = RouteProtocol::from(Route::PROTOCOL);
        let family = u8::from(request.header.address_family);
        let answers = netlink
            .dump(&RouteNetlinkMessage::GetRoute(request))
            .map_err(refused("list", "routes of vfhook's"))?;
        // A kernel without IPv6 answers with the routes of every family that it has.
        let of_it = answers.into_iter().filter(|answer| answer.body.first() == Some(&family));
        found.extend(of_it.filter_map(|route| Some((leaves_by(&route)?, route))));
    }
    Ok(found)
}

fn leaves_by(route: &Message) -> Option<u32> {
    find(route.body.get(HEADER..)?, libc::RTA_OIF).and_then(word)
}

/// The routes among the answers to a request for one family. A kernel without IPv6 answers for it with the routes of every
/// family that it has.
fn of_family(answers: &[Message], ipv6: bool, links: &[Link]) -> impl Iterator<Item = SeenRoute> {
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

/// The number of the interface by which the kernel sends what goes to `address`, and the table that says so; `None` where there is no way.
pub(crate) fn way_to(
    netlink: &mut Netlink,
    address: IpAddr,
) -> Result<Option<(u32, u32)>, KernelError> {
    let mut request = RouteMessage::default();
    request.header.address_family = family_of(address);
    request.header.destination_prefix_length = if address.is_ipv6() { 128 } else { 32 };
    request.header.flags = RouteFlags::LookupTable;
    request.attributes.push(RouteAttribute::Destination(address.into()));
    let found = match netlink.get(RouteNetlinkMessage::GetRoute(request)) {
        Err(refusal) if LEADS_NOWHERE.contains(&refusal.errno) => return Ok(None),
        found => found.map_err(refused("look up the host's way to", address.to_string()))?,
    };
    let table = found.body.get(4).copied().unwrap_or_default();
    let attributes = found.body.get(HEADER..).unwrap_or_default();
    let table = find(attributes, libc::RTA_TABLE).and_then(word).unwrap_or(table.into());
    Ok(find(attributes, libc::RTA_OIF).and_then(word).map(|index| (index, table)))
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
        other => {
            other.map_err(refused("list", format_args!("routes by interface number {index}")))?
        }
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

/// The route that a message tells of, but for those that the kernel keeps for itself. One for some sources or kinds of service only is none: it stands beside
/// whatever else there is.
pub(crate) fn read(message: &Message, links: &[Link]) -> Option<SeenRoute> {
    let header = message.body.first_chunk::<HEADER>()?;
    let [family, length, source_length, service, table, protocol, _, kind, flags @ ..] = header;
    let plain = *source_length == 0 && *service == 0 && *table != libc::RT_TABLE_LOCAL;
    (message.kind == NEW_ROUTE && plain).then_some(())?;
    let attributes = &message.body[HEADER..];
    let to = match find(attributes, libc::RTA_DST) {
        Some(bytes) => ip(*family, bytes)?,
        None => any(i32::from(*family) == libc::AF_INET6),
    };
    let mut hops = Vec::new();
    if *kind == libc::RTN_UNICAST {
        let index = find(attributes, libc::RTA_OIF).and_then(word);
        let onlink = word(flags)? & ONLINK != 0;
        hops.extend(index.and_then(|index| hop(*family, index, onlink, attributes, links)));
        let several = find(attributes, libc::RTA_MULTIPATH).unwrap_or_default();
        hops.extend(several_hops(*family, several, links));
    }
    Some(SeenRoute {
        to: IpNet::new(to, *length).ok()?.trunc(),
        metric: find(attributes, libc::RTA_PRIORITY).map_or(Some(0), word)?,
        protocol: *protocol,
        table: find(attributes, libc::RTA_TABLE).and_then(word).unwrap_or((*table).into()),
        source: find(attributes, libc::RTA_PREFSRC).and_then(|bytes| ip(*family, bytes)),
        hops,
    })
}

/// The hops of a route that has several, one `struct rtnexthop` after the other. One whose length is a lie ends them.
fn several_hops<'a>(
    family: u8,
    mut bytes: &'a [u8],
    links: &'a [Link],
) -> impl Iterator<Item = Hop> + 'a {
    const HEADER: usize = 8;
    let each = std::iter::from_fn(move || {
        let [low, high, flags, _, index @ ..] = bytes.first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([*low, *high]));
        let attributes = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((word(index)?, u32::from(*flags) & ONLINK != 0, attributes))
    });
    each.filter_map(move |(index, onlink, attributes)| {
        hop(family, index, onlink, attributes, links)
    })
}

fn hop(family: u8, index: u32, onlink: bool, attributes: &[u8], links: &[Link]) -> Option<Hop> {
    // `struct rtvia` is a family and an address of it.
    let other_family = |value: &[u8]| {
        let (kind, address) = value.split_first_chunk()?;
        ip(u8::try_from(u16::from_ne_bytes(*kind)).ok()?, address)
    };
    let via = match find(attributes, libc::RTA_GATEWAY) {
        Some(gateway) => Some(ip(family, gateway)?),
        None => match find(attributes, libc::RTA_VIA) {
            Some(via) => Some(other_family(via)?),
            None => None,
        },
    };
    let interface = links.iter().find(|link| link.index == index)?.name.clone();
    Some(Hop { via, interface, onlink })
}

fn any(ipv6: bool) -> IpAddr {
    if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rtnetlink::link_message;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// What is read of a unicast IPv4 default route with these attributes, in a namespace whose interface 3 is `eth0`.
    fn default_with(attributes: &[Vec<u8>]) -> Option<SeenRoute> {
        let mut link = vec![0; 16];
        link[4] = 3;
        link.extend(attribute(3, b"eth0"));
        let links: Vec<Link> = link_message::read_body(&link).into_iter().collect();
        let mut body = vec![2, 0, 0, 0, libc::RT_TABLE_MAIN, 3, 0, libc::RTN_UNICAST, 0, 0, 0, 0];
        body.extend(attributes.concat());
        read(&Message { kind: 24, body }, &links)
    }

    fn hops(attributes: &[Vec<u8>]) -> Vec<String> {
        let route = default_with(attributes).unwrap();
        route.hops.iter().map(|hop| format!("{:?} {}", hop.via, hop.interface)).collect()
    }

    fn next_hop(length: u16, index: u32, attributes: &[u8]) -> Vec<u8> {
        [&length.to_ne_bytes()[..], &[0, 0], &index.to_ne_bytes(), attributes].concat()
    }

    #[test]
    fn a_route_leads_by_each_of_its_hops() {
        let gateway = attribute(libc::RTA_GATEWAY, &[10, 5, 0, 1]);
        let mut via = vec![10, 0];
        via.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let via = attribute(libc::RTA_VIA, &via);
        let index = attribute(libc::RTA_OIF, &3_u32.to_ne_bytes());
        assert_eq!(hops(&[gateway.clone(), index.clone()]), ["Some(10.5.0.1) eth0"]);
        assert_eq!(hops(&[via.clone(), index.clone()]), ["Some(fe80::1) eth0"]);
        assert_eq!(hops(&[index]), ["None eth0"]);
        let (short, long) = (8 + 8, 8 + u16::try_from(via.len()).unwrap());
        let several =
            [next_hop(short, 3, &gateway), next_hop(short, 4, &gateway), next_hop(long, 3, &via)];
        let several = attribute(libc::RTA_MULTIPATH, &several.concat());
        assert_eq!(hops(&[several]), ["Some(10.5.0.1) eth0", "Some(fe80::1) eth0"]);
    }

    #[test]
    fn what_makes_no_sense_is_left_out_and_the_metric_counts() {
        let index = attribute(libc::RTA_OIF, &3_u32.to_ne_bytes());
        let metric = attribute(libc::RTA_PRIORITY, &7_u32.to_ne_bytes());
        for odd in [
            attribute(libc::RTA_GATEWAY, &[1, 2, 3]),
            attribute(libc::RTA_VIA, &[0xff, 0xff, 1]),
            attribute(libc::RTA_VIA, &[]),
        ] {
            let route = default_with(&[odd, index.clone(), metric.clone()]).unwrap();
            assert_eq!((route.metric, route.hops), (7, Vec::new()));
        }
        for length in [0, 7, 9, u16::MAX] {
            let several = attribute(libc::RTA_MULTIPATH, &next_hop(length, 3, &[]));
            let route = default_with(&[several, metric.clone()]).unwrap();
            assert_eq!((route.metric, route.hops), (7, Vec::new()), "{length}");
        }
        assert_eq!(default_with(&[attribute(libc::RTA_PRIORITY, &[1])]), None);
        assert_eq!(default_with(&[attribute(libc::RTA_DST, &[1, 2])]), None);
    }

    #[test]
    fn an_answer_of_the_other_family_is_none() {
        let body = vec![2, 0, 0, 0, libc::RT_TABLE_MAIN, 3, 0, libc::RTN_UNICAST, 0, 0, 0, 0];
        let answers = [Message { kind: 24, body }];
        assert_eq!(of_family(&answers, false, &[]).count(), 1);
        assert_eq!(of_family(&answers, true, &[]).count(), 0);
    }
}
