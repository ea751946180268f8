//! What the host has of all leases, read once for looks at many of them. The kernel goes through all routes and neighbours of the host
//! whenever it is asked for those of one interface, so that looks at many leases one by one would cost their number squared. Judges nothing.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    KernelError,
    netlink::socket::{Message, Netlink},
    open::Ahead,
    rtnetlink::{neighbour, route_message},
};
use crate::{
    inventory::{Link, SeenRoute},
    types::MacAddress,
};

/// Reads it: three messages.
pub(super) fn read(host: &mut Netlink) -> Result<Ahead, KernelError> {
    let mut routes: BTreeMap<u32, Vec<Message>> = BTreeMap::new();
    for (index, route) in route_message::of_ours(host)? {
        routes.entry(index).or_default().push(route);
    }
    let mut neighbours: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for found in neighbour::all_permanent(host)? {
        neighbours.entry(found.0).or_default().push(found);
    }
    Ok(Ahead { routes, neighbours })
}

impl Ahead {
    /// Routes of ours that leave by this interface.
    pub(super) fn routes_by(&self, link: &Link) -> Vec<SeenRoute> {
        let messages = self.routes.get(&link.index).into_iter().flatten();
        messages
            .filter_map(|route| route_message::read(route, std::slice::from_ref(link)))
            .collect()
    }

    /// Permanent neighbours on this interface.
    pub(super) fn neighbours_on(&self, link: &Link) -> Vec<(u32, IpAddr, MacAddress)> {
        self.neighbours.get(&link.index).cloned().unwrap_or_default()
    }
}
