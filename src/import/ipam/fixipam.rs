//! `fixipam` of hustcat's sriov-cni: a subnet of which a request chooses an address. Pure.

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
    route::Found,
    span::{Span, hosts},
};

/// `"type": "fixipam"`.
pub(in super::super) const FIXIPAM: Keys = Keys {
    of: "fixipam",
    manner: Manner::Loose,
    taken: &[
        ("type", "read: which address plugin it is"),
        (
            "subnet",
            "`network.addresses`, all hosts of it, with `allow.addresses = true`: a request chooses",
        ),
        ("gateway", "`network.gateway`. It is a default route only with a route to everything"),
        ("routes", "see routes"),
    ],
    dropped: &[],
    also: &[],
};

pub(super) fn read(node: &Node, remarks: &mut Vec<Remark>) -> Result<Addressing, Remark> {
    let mut found = Found::default();
    let mut fields = Fields::of(node, &FIXIPAM, remarks)?;
    fields.skip(&["type"]);
    let place = fields.place_of("subnet");
    let subnet: IpNet = parsed(fields.required("subnet")?, "subnet", &place)?;
    let gateway: IpAddr = parsed(fields.required("gateway")?, "gateway", &place)?;
    let span = hosts(subnet).and_then(|(first, last)| Span::new(first, last, subnet));
    found.spans.push(span.ok_or_else(|| place.remark("subnet: has no addresses"))?);
    found.gateways.push(gateway);
    let routes = fields.list("routes")?;
    let told = "fixipam gave the address of CNI_ARGS IP and no other: here a request may choose one (allow.addresses), and gets a free one otherwise";
    fields.remark(&node.place, told);
    fields.finish()?;
    found.routes(routes, remarks)?;
    Ok(Addressing { chosen: true, ..found.settle(&node.place, remarks) })
}
