//! Routes of ours: added before all others, and deleted.

use std::fmt;

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    RouteNetlinkMessage,
    route::{
        RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
        RouteType, RouteVia,
    },
};
use nix::errno::Errno;

use crate::{
    inventory::{Hop, Route, RouteFamilies, SeenRoute},
    kernel::{
        KernelError, LinuxKernel,
        rtnetlink::{address::family_of, link, link::refused, route_message},
    },
    plan::step::Place,
    types::InterfaceName,
};

/// The scope of a default route of ours: a value that is free for users, far from any that means something. Among IPv4 default
/// routes of one metric and one scope the kernel changes between gateways that it has not heard of lately
/// (`fib_select_default`), so one of somebody else's would get a part of what leaves by ours.
const DEFAULT_ROUTE_SCOPE: u8 = Route::PROTOCOL;

/// Adds a route of ours. IPv4 puts it before all others of its metric (`fib_table_insert` without flags to the contrary).
pub(crate) fn add(
    kernel: &mut LinuxKernel,
    place: Place,
    route: &Route,
) -> Result<(), KernelError> {
    let message = encode(kernel, place, route)?;
    let how = if route.is_ours() { NLM_F_CREATE } else { NLM_F_CREATE | NLM_F_REPLACE };
    match kernel.netlink(place)?.change(RouteNetlinkMessage::NewRoute(message), how) {
        Err(refusal) if refusal.errno == Errno::EEXIST && is_there(kernel, place, route)? => Ok(()),
        other => other.map_err(refused("add route", Shown(route))),
    }
}

/// Whether an earlier try made the route already: IPv6 takes one by the same way for the same, whoever made it.
fn is_there(kernel: &mut LinuxKernel, place: Place, route: &Route) -> Result<bool, KernelError> {
    let ipv6 = route.to.addr().is_ipv6();
    let netlink = kernel.netlink(place)?;
    let links = link::all(netlink)?;
    let found = route_message::all(netlink, RouteFamilies { ipv4: !ipv6, ipv6 }, &links)?;
    let is_it = |seen: &SeenRoute| {
        let leads = |hop: &Hop| hop.via == route.via && hop.interface == route.interface;
        let marks = (seen.to, seen.metric, seen.protocol, seen.table);
        marks == (route.to, route.metric, route.protocol, route.table)
            && seen.hops.iter().any(leads)
    };
    Ok(found.iter().any(is_it))
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
        other => other.map_err(refused("delete route", Shown(route))),
    }
}

fn encode(
    kernel: &mut LinuxKernel,
    place: Place,
    route: &Route,
) -> Result<RouteMessage, KernelError> {
    let mut message = RouteMessage::default();
    message.header.address_family = family_of(route.to.addr());
    message.header.destination_prefix_length = route.to.prefix_len();
    // One that has no room in a byte is in the attribute alone.
    message.header.table = u8::try_from(route.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
    if !route.is_main() {
        message.attributes.push(RouteAttribute::Table(route.table));
    }
    message.header.protocol = RouteProtocol::from(route.protocol);
    message.header.kind = RouteType::Unicast;
    message.header.scope = scope(route);
    if route.onlink {
        message.header.flags = RouteFlags::Onlink;
    }
    message.attributes.push(RouteAttribute::Oif(index(kernel, place, route)?));
    if route.to.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(route.to.addr().into()));
    }
    message.attributes.extend(route.via.map(|via| match via {
        std::net::IpAddr::V6(via) if route.to.addr().is_ipv4() => {
            RouteAttribute::Via(RouteVia::Inet6(via))
        }
        via => RouteAttribute::Gateway(via.into()),
    }));
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

fn scope(route: &Route) -> RouteScope {
    if route.to.addr().is_ipv6() {
        RouteScope::Universe
    } else if route.via.is_none() {
        RouteScope::Link
    } else if route.is_ours() && route.to.prefix_len() == 0 {
        RouteScope::Other(DEFAULT_ROUTE_SCOPE)
    } else {
        RouteScope::Universe
    }
}

/// The number of the interface that a route leaves by. One that is put back may leave by any.
fn index(kernel: &mut LinuxKernel, place: Place, route: &Route) -> Result<u32, KernelError> {
    let given: Option<InterfaceName> = route.interface.as_str().and_then(|name| name.parse().ok());
    if let Some(name) = given {
        return kernel.index(place, &name);
    }
    let links = link::all(kernel.netlink(place)?)?;
    let found = links.iter().find(|link| link.name == route.interface);
    let name = route.interface.clone();
    found.map(|link| link.index).ok_or(KernelError::LinkGone { name, place })
}

/// A route in words.
struct Shown<'a>(&'a Route);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(route) = self;
        write!(f, "{}", route.to)?;
        if let Some(via) = route.via {
            write!(f, " via {via}")?;
        }
        write!(f, " dev {}", route.interface)
    }
}
