//! `host-local`: ranges of which a node gives one address each. Pure.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    super::{
        Place, Remark,
        draft::Addressing,
        fields::{Fields, parsed},
        keys::{Keys, Manner},
        node::Node,
    },
    route::Found,
    span::{Span, hosts},
};

/// `"type": "host-local"`.
pub(in super::super) const HOST_LOCAL: Keys = Keys {
    of: "host-local",
    manner: Manner::Loose,
    taken: &[
        ("type", "read: which address plugin it is"),
        (
            "ranges",
            "`network.addresses`, one range of an inner list after the other; vfhook gives one address of each family",
        ),
        ("routes", "see routes"),
    ],
    dropped: &[
        ("dataDir", "vfhook keeps leases in a directory of its own"),
        ("resolvConf", "no counterpart: vfhook leaves DNS alone"),
        ("dns", "no counterpart: vfhook leaves DNS alone"),
    ],
    also: &[&RANGE],
};

/// One range, in a list or flat in `ipam`.
pub(in super::super) const RANGE: Keys = Keys {
    of: "host-local ranges",
    manner: Manner::Loose,
    taken: &[
        (
            "subnet",
            "the prefix length of `network.addresses`, and the range where nothing else says it",
        ),
        ("rangeStart", "the first address of the range; the network's first one without it"),
        (
            "rangeEnd",
            "the last address of the range; the last but the broadcast address without it",
        ),
        (
            "gateway",
            "`network.gateway`; the network's first address without it. It is a default route only with a route to everything",
        ),
    ],
    dropped: &[],
    also: &[],
};

pub(super) fn read(node: &Node, remarks: &mut Vec<Remark>) -> Result<Addressing, Remark> {
    let mut found = Found::default();
    let mut fields = Fields::of(node, &HOST_LOCAL, remarks)?;
    fields.skip(&["type"]);
    let mut families = Vec::new();
    if let Some(flat) = range(&mut fields, false, &mut found)? {
        families.push(flat);
    }
    for inner in fields.list("ranges")? {
        let elements = inner.list().ok_or_else(|| inner.expected("ranges", "a list of lists"))?;
        let mut family = None;
        for element in elements {
            let mut one = Fields::of(element, &RANGE, fields.remarks())?;
            family = range(&mut one, true, &mut found)?;
            one.finish()?;
        }
        families.extend(family);
    }
    let routes = fields.list("routes")?;
    fields.finish()?;
    tell_of_more_than_one(&families, &node.place, remarks);
    found.routes(routes, remarks)?;
    Ok(found.settle(&node.place, remarks))
}

/// A container gets an address of each list there, of each family here.
pub(super) fn tell_of_more_than_one(families: &[bool], place: &Place, remarks: &mut Vec<Remark>) {
    for (ipv6, name) in [(false, "IPv4"), (true, "IPv6")] {
        let lists = families.iter().filter(|family| **family == ipv6).count();
        if lists > 1 {
            remarks.push(place.remark(format!(
                "a container had {lists} {name} addresses, one of each list; here it gets one, out of any of them"
            )));
        }
    }
}

/// Reads one range; whether it is of IPv6. `None` where there is no subnet and need not be.
fn range(fields: &mut Fields, needed: bool, found: &mut Found) -> Result<Option<bool>, Remark> {
    let place = fields.place_of("subnet");
    let subnet = if needed { Some(fields.required("subnet")?) } else { fields.text("subnet")? };
    let Some(subnet) = subnet else { return Ok(None) };
    let subnet: IpNet = parsed(subnet, "subnet", &place)?;
    if subnet.trunc() != subnet {
        let right = subnet.trunc();
        return Err(place.remark(format!("subnet: {subnet} has bits of a host set: write {right}")));
    }
    let (low, high) = hosts(subnet).ok_or_else(|| place.remark("subnet: has no addresses"))?;
    let first: IpAddr = fields.parsed("rangeStart")?.unwrap_or(low);
    let last: IpAddr = fields.parsed("rangeEnd")?.unwrap_or(high);
    let span = Span::new(first, last, subnet);
    let span =
        span.ok_or_else(|| place.remark(format!("{first} to {last} is no range on {subnet}")))?;
    found.spans.push(span);
    let gateway = fields.parsed("gateway")?.unwrap_or(low);
    if !found.gateways.contains(&gateway) {
        found.gateways.push(gateway);
    }
    Ok(Some(subnet.addr().is_ipv6()))
}
