//! `whereabouts`: ranges that a cluster's nodes share. Pure.

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
    host_local::tell_of_more_than_one,
    route::Found,
    span::{Span, hosts},
};

/// `"type": "whereabouts"`.
pub(in super::super) const WHEREABOUTS: Keys = Keys {
    of: "whereabouts",
    manner: Manner::Loose,
    taken: &[
        ("type", "read: which address plugin it is"),
        ("ipRanges", "`network.addresses`; vfhook gives one address of each family"),
        ("gateway", "`network.gateway`. It is a default route only with a route to everything"),
        ("routes", "see routes"),
    ],
    dropped: &[
        ("dns", "no counterpart: vfhook leaves DNS alone"),
        ("network_name", "no counterpart: networks that share a range here share its addresses"),
        ("enable_overlapping_ranges", "no counterpart: an address is one wire's"),
        ("node_slice_size", "no counterpart yet: give each node a range of its own"),
        ("leader_lease_duration", "no counterpart: nobody is elected"),
        ("leader_renew_deadline", "no counterpart: nobody is elected"),
        ("leader_retry_period", "no counterpart: nobody is elected"),
        ("kubernetes", "no counterpart: nothing is asked of the API server"),
        ("datastore", "no counterpart: nothing is asked of the API server"),
        ("configuration_path", "its file is not read: what it adds is to be written here"),
        ("log_file", "vfhook logs by `--log`"),
        ("log_level", "vfhook logs by `--log`"),
        (
            "reconciler_cron_expression",
            "no counterpart: `vfhook serve` keeps leases true all the time",
        ),
        ("sleep_for_race", "no counterpart"),
    ],
    also: &[&WHEREABOUTS_RANGE],
};

/// One range, in a list or flat in `ipam`.
pub(in super::super) const WHEREABOUTS_RANGE: Keys = Keys {
    of: "whereabouts ranges",
    manner: Manner::Loose,
    taken: &[
        (
            "range",
            "`network.addresses`: `CIDR` or `FIRST-LAST/LEN`; per node, not for the whole cluster",
        ),
        ("range_start", "the first address of the range"),
        ("range_end", "the last address of the range"),
        ("exclude", "left out of `network.addresses`, which becomes several ranges"),
    ],
    dropped: &[],
    also: &[],
};

pub(super) fn read(node: &Node, remarks: &mut Vec<Remark>) -> Result<Addressing, Remark> {
    let mut found = Found::default();
    let mut fields = Fields::of(node, &WHEREABOUTS, remarks)?;
    fields.skip(&["type"]);
    let mut families = Vec::new();
    if fields.has("range") {
        families.push(range(&mut fields, &mut found)?);
    }
    for element in fields.list("ipRanges")? {
        let mut one = Fields::of(element, &WHEREABOUTS_RANGE, fields.remarks())?;
        families.push(range(&mut one, &mut found)?);
        one.finish()?;
    }
    if families.is_empty() {
        return Err(node
            .place
            .remark("whereabouts without a range: if its own file has it, write it here"));
    }
    found.gateways.extend(fields.parsed::<IpAddr>("gateway")?);
    let routes = fields.list("routes")?;
    let told = "WHEREABOUTS GIVES ADDRESSES FOR THE WHOLE CLUSTER, VFHOOK FOR THIS NODE: TWO NODES WITH THIS RANGE GIVE THE SAME ADDRESS TWICE. GIVE EACH NODE A PART OF ITS OWN";
    fields.remark(&node.place, told);
    fields.finish()?;
    tell_of_more_than_one(&families, &node.place, remarks);
    found.routes(routes, remarks)?;
    Ok(found.settle(&node.place, remarks))
}

/// Reads one range; whether it is of IPv6.
fn range(fields: &mut Fields, found: &mut Found) -> Result<bool, Remark> {
    let place = fields.place_of("range");
    let (network, ends) = network_of(fields.required("range")?, &place)?;
    let (low, high) =
        ends.or_else(|| hosts(network)).ok_or_else(|| place.remark("range: has no addresses"))?;
    let first: IpAddr = fields.parsed("range_start")?.unwrap_or(low);
    let last: IpAddr = fields.parsed("range_end")?.unwrap_or(high);
    let span = Span::new(first, last, network);
    let span =
        span.ok_or_else(|| place.remark(format!("{first} to {last} is no range on {network}")))?;
    let excluded: Result<Vec<IpNet>, Remark> = fields
        .texts("exclude")?
        .into_iter()
        .map(|(text, place)| match text.parse::<IpAddr>() {
            Ok(address) => Ok(address.into()),
            Err(_) => parsed(text, "exclude", place),
        })
        .collect();
    let left = span.without(&excluded?);
    if left.is_empty() {
        return Err(place.remark("range: exclude leaves nothing of it"));
    }
    found.spans.extend(left);
    Ok(network.addr().is_ipv6())
}

/// A range's network, and its ends where it names them. Bits of a host may be set.
fn network_of(text: &str, place: &Place) -> Result<(IpNet, Option<(IpAddr, IpAddr)>), Remark> {
    let Some((first, rest)) = text.split_once('-') else {
        let network: IpNet = parsed(text.trim(), "range", place)?;
        return Ok((network.trunc(), None));
    };
    let last: IpNet = parsed(rest.trim(), "range", place)?;
    let first: IpAddr = parsed(first.trim(), "range", place)?;
    Ok((last.trunc(), Some((first, last.addr()))))
}
