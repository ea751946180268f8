//! The routes and gateways of CNI's address plugins, brought to what a network has: one gateway of a family, and a default route or
//! none. Knows no plugin.

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
    span::Span,
};

/// An element of `routes`.
pub(in super::super) const ROUTE: Keys = Keys {
    of: "routes",
    manner: Manner::Loose,
    taken: &[
        (
            "dst",
            "`network.default_route` if it is everything; other routes are told in a comment, for vfhook gives none yet",
        ),
        ("gw", "`network.gateway` if `dst` is everything"),
    ],
    dropped: &[
        ("mtu", "a route has no MTU of its own here: set `network.mtu`"),
        ("advmss", "no counterpart"),
        ("priority", "no counterpart: vfhook places its default route itself"),
        ("table", "no counterpart"),
        ("scope", "no counterpart"),
    ],
    also: &[],
};

/// What an address plugin's configuration says.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What addresses are taken from.
    pub(super) spans: Vec<Span>,
    /// Next hops, the first of a family before others.
    pub(super) gateways: Vec<IpAddr>,
    /// Default routes: whether of IPv6, and by which next hop.
    pub(super) defaults: Vec<(bool, Option<IpAddr>)>,
}

impl Found {
    /// Reads the routes.
    pub(super) fn routes(
        &mut self,
        routes: &[Node],
        remarks: &mut Vec<Remark>,
    ) -> Result<(), Remark> {
        for node in routes {
            let mut fields = Fields::of(node, &ROUTE, remarks)?;
            let to: IpNet = parsed(fields.required("dst")?, "dst", fields.place())?;
            let via: Option<IpAddr> = fields.parsed("gw")?;
            if to.prefix_len() == 0 {
                self.defaults.push((to.addr().is_ipv6(), via));
            } else {
                let via = via.map_or_else(String::new, |via| format!(" via {via}"));
                let told = format!(
                    "a route to {to}{via}: vfhook gives no routes beside the default one yet"
                );
                fields.remark(&node.place, told);
            }
            fields.finish()?;
        }
        Ok(())
    }

    /// Makes it what a network has.
    pub(super) fn settle(self, place: &Place, remarks: &mut Vec<Remark>) -> Addressing {
        let mut addressing = Addressing::default();
        let mut excluded = Vec::new();
        let hops = [false, true].map(|ipv6| self.next_hop(ipv6, place, remarks));
        addressing.default_route = hops.iter().any(Option::is_some);
        for (ipv6, hop) in [false, true].into_iter().zip(hops) {
            let own = || self.gateways.iter().filter(move |gateway| gateway.is_ipv6() == ipv6);
            if !self.has(ipv6) {
                continue;
            }
            let chosen =
                hop.or_else(|| own().next().filter(|_| !addressing.default_route).copied());
            if let Some(other) = own().find(|other| Some(**other) != chosen) {
                let why = if chosen.is_some() {
                    "a network has one of a family"
                } else {
                    "it would be a default route beside the other family's"
                };
                remarks.push(
                    place.remark(format!("gateway {other}: {why}; nobody is given its address")),
                );
            }
            excluded.extend(own().map(|other| IpNet::from(*other)));
            addressing.gateway.extend(chosen);
        }
        // The gateway itself stays in the ranges: a network gives its gateway to nobody.
        excluded.retain(|block: &IpNet| !addressing.gateway.contains(&block.addr()));
        let left = self.spans.iter().flat_map(|span| span.without(&excluded));
        addressing.addresses = left.filter_map(Span::range).collect();
        addressing
    }

    fn has(&self, ipv6: bool) -> bool {
        self.spans.iter().any(|span| span.is_ipv6() == ipv6)
    }

    /// Where the default route of a family goes.
    fn next_hop(&self, ipv6: bool, place: &Place, remarks: &mut Vec<Remark>) -> Option<IpAddr> {
        let (_, via) = self.defaults.iter().find(|(family, _)| *family == ipv6)?;
        let own = self.gateways.iter().find(|gateway| gateway.is_ipv6() == ipv6).copied();
        let hop = via.or(own).filter(|_| self.has(ipv6));
        if hop.is_none() {
            let family = if ipv6 { "IPv6" } else { "IPv4" };
            remarks.push(place.remark(format!(
                "a default route for {family} without a gateway or an address: there is none"
            )));
        }
        hop
    }
}
