//! Routes: added, deleted, and the default ones of a sandbox looked up.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol,
        RouteScope, RouteType,
    },
};
use nix::errno::Errno;

use super::{KernelError, LinuxKernel, address::family_of, link::refused, netlink::Netlink};
use crate::{
    inventory::{DefaultRoute, Link},
    plan::step::Route,
};

/// Adds a route, or puts it in the place of the one with its destination and metric.
pub(super) fn add(kernel: &mut LinuxKernel, route: &Route) -> Result<(), KernelError> {
    let message = encode(kernel, route)?;
    kernel
        .netlink(route.place)?
        .change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
        .map_err(refused("add route", shown(route)))
}

/// Deletes a route; one that is gone is gone, and so is one whose interface is.
pub(super) fn delete(kernel: &mut LinuxKernel, route: &Route) -> Result<(), KernelError> {
    let message = match encode(kernel, route) {
        Err(KernelError::Absent { .. }) => return Ok(()),
        other => other?,
    };
    match kernel.netlink(route.place)?.change(RouteNetlinkMessage::DelRoute(message), 0) {
        Err(refusal) if refusal.errno == Errno::ESRCH => Ok(()),
        other => other.map_err(refused("delete route", shown(route))),
    }
}

/// The default routes of the main table that have one next hop.
pub(super) fn defaults(
    netlink: &mut Netlink,
    links: &[Link],
) -> Result<Vec<DefaultRoute>, KernelError> {
    let mut found = Vec::new();
    for ipv6 in [false, true] {
        let mut request = RouteMessage::default();
        let any: IpAddr = if ipv6 {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv4Addr::UNSPECIFIED.into()
        };
        request.header.address_family = family_of(any);
        let answers = netlink
            .dump(&RouteNetlinkMessage::GetRoute(request))
            .map_err(refused("list", "routes of the sandbox"))?;
        found.extend(answers.iter().filter_map(|answer| parse(answer, links)));
    }
    Ok(found)
}

fn parse(answer: &RouteNetlinkMessage, links: &[Link]) -> Option<DefaultRoute> {
    let RouteNetlinkMessage::NewRoute(message) = answer else { return None };
    let header = &message.header;
    let unicast = header.kind == RouteType::Unicast && header.table == RouteHeader::RT_TABLE_MAIN;
    if !unicast || header.destination_prefix_length != 0 {
        return None;
    }
    let mut route = (None, None, 0);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => {
                route.0 = Some(IpAddr::from(*gateway));
            }
            RouteAttribute::Gateway(RouteAddress::Inet6(gateway)) => {
                route.0 = Some(IpAddr::from(*gateway));
            }
            RouteAttribute::Oif(index) => route.1 = links.iter().find(|link| link.index == *index),
            RouteAttribute::Priority(metric) => route.2 = *metric,
            _ => {}
        }
    }
    Some(DefaultRoute {
        gateway: route.0?,
        interface: route.1?.name.clone(),
        metric: route.2,
        protocol: header.protocol.into(),
        onlink: header.flags.contains(RouteFlags::Onlink),
    })
}

fn encode(kernel: &mut LinuxKernel, route: &Route) -> Result<RouteMessage, KernelError> {
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
    message.attributes.push(RouteAttribute::Oif(kernel.index(route.place, &route.name)?));
    if route.to.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(route.to.addr().into()));
    }
    message.attributes.extend(route.via.map(|via| RouteAttribute::Gateway(via.into())));
    message.attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(source.into())));
    if route.metric > 0 {
        message.attributes.push(RouteAttribute::Priority(route.metric));
    }
    Ok(message)
}

fn shown(route: &Route) -> String {
    let via = route.via.map(|via| format!(" via {via}")).unwrap_or_default();
    format!("{}{via} dev {}", route.to, route.name)
}
