//! Addresses, routes, neighbours and sysctls, and what the kernel asks of each.

use std::net::IpAddr;

use ipnet::IpNet;
use nix::errno::Errno;

use super::session::Session;
use crate::{
    inventory::{Route, RoutingRule},
    kernel::KernelError,
    plan::step::Place,
    types::{InterfaceName, MacAddress},
};

pub(super) fn probe(
    session: &mut Session,
    name: &InterfaceName,
    addresses: &[IpAddr],
) -> Result<(), KernelError> {
    session.index(Place::Sandbox, name)?;
    let has = |address: &IpAddr| Some((*address, *session.machine.neighbours.get(address)?));
    match addresses.iter().find_map(has) {
        None => Ok(()),
        Some((address, mac)) => Err(KernelError::InUseOnWire { address, mac, name: name.clone() }),
    }
}

pub(super) fn add_address(
    session: &mut Session,
    name: &InterfaceName,
    address: IpNet,
) -> Result<(), KernelError> {
    let index = session.index(Place::Sandbox, name)?;
    let namespace = session.namespace(Place::Sandbox)?;
    let off = namespace.links.get(&index).is_some_and(|link| namespace.is_ipv6_off(link));
    if off && address.addr().is_ipv6() {
        let object = format!("{address} to {name}");
        return Err(KernelError::refused("add address", object)(Errno::EACCES));
    }
    session.numbered(Place::Sandbox, index)?.add_address(address);
    Ok(())
}

pub(super) fn add_route(
    session: &mut Session,
    place: Place,
    asked: &Route,
) -> Result<(), KernelError> {
    let index = index_of(session, place, asked)?;
    if let Some(errno) = refusal(session, place, asked, index)? {
        let object = format!("{} dev {}", asked.to, asked.interface);
        return Err(KernelError::refused("add route", object)(errno));
    }
    let route = as_shown(asked);
    let namespace = session.namespace(place)?;
    if !asked.is_ours() {
        namespace.remove_route(&route);
    } else if namespace.routes().any(|had| *had == route) {
        return Ok(());
    } else if namespace.routes().any(|had| is_shared(had, &route)) {
        let object = format!("{} dev {}: it does not win", asked.to, asked.interface);
        return Err(KernelError::refused("add route", object)(Errno::EEXIST));
    }
    session.numbered(place, index)?.routes.insert(0, route);
    Ok(())
}

/// Whether IPv6 would come to `had` first, or share the way between the two: nobody may ask for that.
fn is_shared(had: &Route, wanted: &Route) -> bool {
    let same = (had.to, had.table) == (wanted.to, wanted.table);
    // One that is behind by intention names its metric.
    same && wanted.to.addr().is_ipv6() && had.metric == wanted.metric
}

fn index_of(session: &mut Session, place: Place, route: &Route) -> Result<u32, KernelError> {
    let links = &session.namespace(place)?.links;
    let found = links.values().find(|link| link.facts.name == route.interface);
    let name = route.interface.clone();
    found.map(|link| link.facts.index).ok_or(KernelError::LinkGone { name, place })
}

/// Why the kernel does not take a route (`fib_check_nh`, `ip6_route_info_create`).
fn refusal(
    session: &mut Session,
    place: Place,
    route: &Route,
    index: u32,
) -> Result<Option<Errno>, KernelError> {
    let namespace = session.namespace(place)?;
    let Some(link) = namespace.links.get(&index) else { return Ok(Some(Errno::ENODEV)) };
    let ipv6 = route.to.addr().is_ipv6();
    let on_link = |via: IpAddr| {
        let link_local = matches!(via, IpAddr::V6(via) if via.is_unicast_link_local());
        link_local || link.facts.addresses.iter().any(|address| address.contains(&via))
    };
    Ok(if !link.facts.up {
        Some(Errno::ENETDOWN)
    } else if ipv6 && namespace.is_ipv6_off(link) {
        Some(Errno::EACCES)
    } else if route.via.is_some_and(|via| !route.onlink && !on_link(via)) {
        Some(if ipv6 { Errno::EHOSTUNREACH } else { Errno::ENETUNREACH })
    } else if route.source.is_some_and(|source| !namespace.has_address(source)) {
        Some(Errno::EINVAL)
    } else {
        None
    })
}

/// A route that is gone is gone, and so is one whose interface is.
pub(super) fn delete_route(
    session: &mut Session,
    place: Place,
    asked: &Route,
) -> Result<(), KernelError> {
    let namespace = session.namespace(place)?;
    let mut links = namespace.links.values_mut();
    let Some(link) = links.find(|link| link.facts.name == asked.interface) else { return Ok(()) };
    let route = as_shown(asked);
    // A metric of 0 matches any.
    link.routes.retain(|had| {
        (had.to, had.via, had.protocol, had.table)
            != (route.to, route.via, route.protocol, route.table)
            || (asked.metric != 0 && had.metric != route.metric)
    });
    Ok(())
}

/// The kernel names the metric of an IPv6 route that asked for none.
fn as_shown(asked: &Route) -> Route {
    let unasked = if asked.to.addr().is_ipv6() { 1024 } else { 0 };
    let metric = if asked.metric == 0 { unasked } else { asked.metric };
    Route { metric, ..asked.clone() }
}

/// One that is there already is not added again.
pub(super) fn add_rule(session: &mut Session, rule: &RoutingRule) -> Result<(), KernelError> {
    session.namespace(Place::Sandbox)?.rules.insert(rule.clone());
    Ok(())
}

/// A rule that is gone is gone.
pub(super) fn delete_rule(session: &mut Session, rule: &RoutingRule) -> Result<(), KernelError> {
    session.namespace(Place::Sandbox)?.rules.remove(rule);
    Ok(())
}

pub(super) fn add_neighbour(
    session: &mut Session,
    place: Place,
    name: &InterfaceName,
    address: IpAddr,
    mac: MacAddress,
) -> Result<(), KernelError> {
    let index = session.index(place, name)?;
    session.numbered(place, index)?.neighbours.insert(address, mac);
    Ok(())
}

/// The file of a per-interface sysctl exists as long as the interface does.
pub(super) fn write_sysctl(
    session: &mut Session,
    place: Place,
    key: &str,
    value: &str,
) -> Result<(), KernelError> {
    let namespace = session.namespace(place)?;
    let default_off = if namespace.ipv6_disabled { "1" } else { "0" };
    let mut parts = key.splitn(4, '/');
    let (family, conf, name, leaf) = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(family), Some("conf"), Some(name), Some(leaf)) = (family, conf, name, leaf) else {
        return Err(no_such_file(key));
    };
    // Paths have the main name only.
    let found = namespace.links.values_mut().find(|link| link.facts.name == *name);
    let link = found.ok_or_else(|| no_such_file(key))?;
    let short = format!("{family}/{leaf}");
    let default = match short.as_str() {
        "ipv6/disable_ipv6" => default_off,
        "ipv6/accept_ra" | "ipv6/autoconf" | "ipv6/accept_redirects" | "ipv4/accept_redirects" => {
            "1"
        }
        _ => "0",
    };
    if value == default {
        link.sysctls.remove(&short);
    } else {
        link.sysctls.insert(short, value.to_owned());
    }
    Ok(())
}

fn no_such_file(key: &str) -> KernelError {
    KernelError::io("read", format!("/proc/sys/net/{key}"))(Errno::ENOENT.into())
}
