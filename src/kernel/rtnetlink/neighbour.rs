//! Neighbours that need no resolution.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    RouteNetlinkMessage,
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
    route::RouteType,
};

use crate::kernel::{
    KernelError, LinuxKernel,
    rtnetlink::{address::family_of, link::refused},
};
use crate::{
    plan::step::Place,
    types::{InterfaceName, MacAddress},
};

/// Adds a permanent neighbour.
pub(crate) fn add(
    kernel: &mut LinuxKernel,
    place: Place,
    name: &InterfaceName,
    address: IpAddr,
    mac: MacAddress,
) -> Result<(), KernelError> {
    let mut message = NeighbourMessage::default();
    message.header.family = family_of(address);
    message.header.ifindex = kernel.index(place, name)?;
    message.header.state = NeighbourState::Permanent;
    message.header.kind = RouteType::Unicast;
    let destination = match address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    };
    message.attributes = vec![
        NeighbourAttribute::Destination(destination),
        NeighbourAttribute::LinkLayerAddress(mac.bytes().to_vec()),
    ];
    kernel
        .netlink(place)?
        .change(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
        .map_err(refused("add neighbour", format!("{address} on {name}")))
}
