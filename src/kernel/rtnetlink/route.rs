//! Routes: added, deleted, and those of a sandbox looked up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_REPLACE, Nla as _};
use netlink_packet_route::{
    RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol,
        RouteScope, RouteType,
    },
};
use nix::errno::Errno;

use crate::kernel::{
    KernelError, LinuxKernel,
    netlink::socket::Netlink,
    rtnetlink::{address::family_of, link::refused},
};
use crate::{
    inventory::{Link, Route},
    plan::step::Place,
};

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
        found.extend(answers.iter().filter_map(|answer| parse(answer, ipv6, links)));
    }
    Ok(found)
}

/// The route that a message tells of, if it is of the kind wanted.
pub(crate) fn parse(answer: &RouteNetlinkMessage, ipv6: bool, links: &[Link]) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(message) = answer else { return None };
    let header = &message.header;
    if header.kind != RouteType::Unicast || header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let (mut to, mut via, mut source, mut interface, mut metric) = (any(ipv6), None, None, None, 0);
    let mut other = Vec::new();
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => to = ip(address)?,
            RouteAttribute::Gateway(address) => via = ip(address),
            RouteAttribute::PrefSource(address) => source = ip(address),
            RouteAttribute::Oif(index) => {
                interface = links.iter().find(|link| link.index == *index);
            }
            RouteAttribute::Priority(priority) => metric = *priority,
            // The table is the main one, and how often the route was used is no part of it.
            RouteAttribute::Table(_) | RouteAttribute::CacheInfo(_) => {}
            kept => other.push(raw(kept)),
        }
    }
    Some(Route {
        to: IpNet::new(to, header.destination_prefix_length).ok()?,
        via,
        interface: interface?.name.clone(),
        source,
        onlink: header.flags.contains(RouteFlags::Onlink),
        metric,
        protocol: header.protocol.into(),
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

fn raw(attribute: &RouteAttribute) -> (u16, Vec<u8>) {
    let mut value = vec![0; attribute.value_len()];
    attribute.emit_value(&mut value);
    (attribute.kind(), value)
}

fn any(ipv6: bool) -> IpAddr {
    if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn shown(route: &Route) -> String {
    let via = route.via.map(|via| format!(" via {via}")).unwrap_or_default();
    format!("{}{via} dev {}", route.to, route.interface)
}
