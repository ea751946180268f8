//! `routes` of a `[[network]]`: ways out of a sandbox beside its default route.

use std::net::IpAddr;

use ipnet::IpNet;

use super::section::Section;
use crate::types::{AddressRange, LINK_LOCAL, is_link_local, special_purpose};

/// A route over the interface of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticRoute {
    /// Where it leads; a prefix length of 0 is everything.
    pub to: IpNet,
    /// The next hop; `None` means that the destination is on the link.
    pub via: Option<IpAddr>,
    /// The metric; `None` wins over whatever the sandbox has.
    pub metric: Option<u32>,
    /// The table; `None` is the main one.
    pub table: Option<u32>,
    /// Whether the next hop is on the link though no address says so.
    pub onlink: bool,
    /// The source address of what leaves by it.
    pub source: Option<IpAddr>,
}

/// What makes a route one of its own in a sandbox: where it leads, its table and its metric. `None` for both is what most have.
pub type RouteKey = (IpNet, Option<u32>, Option<u32>);

impl StaticRoute {
    /// What no other route of the sandbox may have.
    pub fn key(&self) -> RouteKey {
        (self.to, self.table, self.metric)
    }
}

/// `0.0.0.0/0` or `::/0`.
pub fn everything(ipv6: bool) -> IpNet {
    if ipv6 { ipnet::Ipv6Net::default().into() } else { ipnet::Ipv4Net::default().into() }
}

/// One element of `routes`.
pub(super) fn read(section: &mut Section) -> Option<StaticRoute> {
    let to: Option<String> = section.required("to");
    let via: Option<IpAddr> = section.optional("via");
    let route = StaticRoute {
        to: destination(section, &to?, via)?,
        via,
        metric: metric(section),
        table: table(section),
        onlink: section.optional("onlink").unwrap_or(false),
        source: section.optional("source"),
    };
    let ipv6 = route.to.addr().is_ipv6();
    if route.onlink && via.is_none() {
        section.problem("onlink", "needs via: it is the next hop that it is about");
    }
    for (key, address) in [("via", route.via), ("source", route.source)] {
        if let Some(address) = address.filter(|address| address.is_ipv6() != ipv6) {
            section.problem(key, format!("{address} and {} are not of one family", route.to));
        }
    }
    let itself = via.map(|via| AddressRange::from(IpNet::from(via)));
    let what = itself.as_ref().and_then(special_purpose).filter(|what| *what != LINK_LOCAL);
    if let Some((what, via)) = what.zip(via) {
        section.problem("via", format!("{via} is {what}: no router has it"));
    }
    Some(route)
}

/// A lower metric wins. One below 2 leaves IPv6 no place before it.
pub(super) fn metric(section: &mut Section) -> Option<u32> {
    let metric: Option<u32> = section.optional("metric");
    if let Some(metric) = metric.filter(|metric| *metric < 2) {
        section.problem("metric", format!("expected 2 or more, found {metric}"));
    }
    metric
}

fn table(section: &mut Section) -> Option<u32> {
    const MAIN: u32 = 254;
    let table: Option<u32> = section.optional("table");
    if let Some(table) = table.filter(|table| [0, 255].contains(table)) {
        section.problem("table", format!("{table} is the kernel's own: expected another number"));
    }
    table.filter(|table| *table != MAIN)
}

fn destination(section: &mut Section, text: &str, via: Option<IpAddr>) -> Option<IpNet> {
    if let Some(via) = via.filter(|_| text == "default") {
        return Some(everything(via.is_ipv6()));
    }
    let Ok(to) = text.parse::<IpNet>() else {
        let found = crate::types::quote(text);
        let message =
            format!("{found}: expected a network such as 10.1.0.0/16, or \"default\" with via");
        section.problem("to", message);
        return None;
    };
    if to != to.trunc() {
        section.problem("to", format!("{to} has host bits: write {}", to.trunc()));
    }
    Some(to.trunc())
}

/// Holds the routes of a network, which the file has at these places, against its addresses.
pub(super) fn check(
    section: &mut Section,
    routes: &[StaticRoute],
    at: &[usize],
    addresses: &[AddressRange],
) {
    for (index, route) in at.iter().zip(routes) {
        let mut problem = |key: &str, message: String| {
            section.problem(&format!("routes[{index}].{key}"), message);
        };
        let ipv6 = route.to.addr().is_ipv6();
        if !addresses.iter().any(|range| range.is_ipv6() == ipv6) {
            let family = if ipv6 { "IPv6" } else { "IPv4" };
            problem("to", format!("{} is {family}, and addresses has none", route.to));
            continue;
        }
        let is_near = |via: IpAddr| {
            let mut networks = addresses.iter().filter_map(AddressRange::network);
            networks.any(|near| near.contains(&via)) || via.is_ipv6() && is_link_local(via)
        };
        if let Some(via) = route.via.filter(|via| !route.onlink && !is_near(*via)) {
            let cure = "onlink = true says that it is on the link all the same";
            problem("via", format!("{via} is on no network of addresses; {cure}"));
        }
        let has = |source| addresses.iter().any(|range| range.contains_address(source));
        if let Some(source) = route.source.filter(|source| !has(*source)) {
            problem("source", format!("{source} is in no range of addresses"));
        }
    }
}

/// Refuses a route that another of these keys, which are all of the network's, is too.
pub(super) fn refuse_twice(
    section: &mut Section,
    routes: &[StaticRoute],
    at: &[usize],
    keys: &[RouteKey],
) {
    for (index, route) in at.iter().zip(routes) {
        if keys.iter().filter(|key| **key == route.key()).count() > 1 {
            let message = format!("more than one route to {}: give each its own metric", route.to);
            section.problem(&format!("routes[{index}].metric"), message);
        }
    }
}
