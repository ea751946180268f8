//! `static`: addresses for one container. Pure.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    super::{
        Remark,
        draft::Addressing,
        fields::{Fields, parsed},
        keys::{Keys, Manner},
        node::Node,
    },
    host_local::tell_of_more_than_one,
    route::Found,
    span::Span,
};

/// `"type": "static"`.
pub(in super::super) const STATIC: Keys = Keys {
    of: "static",
    manner: Manner::Loose,
    taken: &[
        ("type", "read: which address plugin it is"),
        ("addresses", "`network.addresses`, a range of one each"),
        ("routes", "see routes"),
    ],
    dropped: &[("dns", "no counterpart: vfhook leaves DNS alone")],
    also: &[],
};

/// An element of `addresses` there.
pub(in super::super) const STATIC_ADDRESS: Keys = Keys {
    of: "static addresses",
    manner: Manner::Loose,
    taken: &[
        ("address", "a range of one address in `network.addresses`"),
        ("gateway", "`network.gateway`. It is a default route only with a route to everything"),
    ],
    dropped: &[],
    also: &[],
};

pub(super) fn read(node: &Node, remarks: &mut Vec<Remark>) -> Result<Addressing, Remark> {
    let mut found = Found::default();
    let mut fields = Fields::of(node, &STATIC, remarks)?;
    fields.skip(&["type"]);
    let mut families = Vec::new();
    for element in fields.list("addresses")? {
        let mut one = Fields::of(element, &STATIC_ADDRESS, fields.remarks())?;
        let address: IpNet = parsed(one.required("address")?, "address", one.place())?;
        let gateway: Option<IpAddr> = one.parsed("gateway")?;
        one.finish()?;
        found.spans.extend(Span::new(address.addr(), address.addr(), address));
        found.gateways.extend(gateway.filter(|gateway| !found.gateways.contains(gateway)));
        families.push(address.addr().is_ipv6());
    }
    let routes = fields.list("routes")?;
    if !families.is_empty() {
        let told = "a static address is for one container only: a second one at a time is refused, as no address is free";
        fields.remark(&node.place, told);
    }
    fields.finish()?;
    tell_of_more_than_one(&families, &node.place, remarks);
    found.routes(routes, remarks)?;
    Ok(found.settle(&node.place, remarks))
}
