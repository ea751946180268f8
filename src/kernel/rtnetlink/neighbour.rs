//! Neighbours that need no resolution: added, and those of an interface looked up.

use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    RouteNetlinkMessage,
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
    route::RouteType,
};

use crate::{
    kernel::{
        KernelError, LinuxKernel,
        netlink::{
            attribute::{find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::{
            address::{family_of, ip},
            link::refused,
        },
    },
    plan::step::Place,
    types::{InterfaceName, MacAddress},
};

/// The permanent neighbours on the interface with this number (`struct ndmsg` of `linux/neighbour.h`).
pub(crate) fn permanent(
    netlink: &mut Netlink,
    index: u32,
) -> Result<Vec<(u32, IpAddr, MacAddress)>, KernelError> {
    const INTERFACE: u16 = 8;
    let mut message = NeighbourMessage::default();
    let filter = DefaultNla::new(INTERFACE, index.to_ne_bytes().to_vec());
    message.attributes = vec![NeighbourAttribute::Other(filter)];
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetNeighbour(message))
        .map_err(refused("list", format_args!("neighbours on interface number {index}")))?;
    Ok(answers.iter().filter_map(read).filter(|(on, ..)| *on == index).collect())
}

/// The permanent neighbours on all interfaces, each with the number of its own.
pub(crate) fn all_permanent(
    netlink: &mut Netlink,
) -> Result<Vec<(u32, IpAddr, MacAddress)>, KernelError> {
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()))
        .map_err(refused("list", "neighbours"))?;
    Ok(answers.iter().filter_map(read).collect())
}

fn read(message: &Message) -> Option<(u32, IpAddr, MacAddress)> {
    const NEW_NEIGHBOUR: u16 = 28;
    const HEADER: usize = 12;
    const PERMANENT: u8 = 0x80;
    const ADDRESS: u16 = 1;
    const HARDWARE_ADDRESS: u16 = 2;
    let header = message.body.first_chunk::<HEADER>()?;
    let (on, state) = (word(&header[4..])?, header[8]);
    let wanted = message.kind == NEW_NEIGHBOUR && state & PERMANENT != 0;
    wanted.then_some(())?;
    let attributes = &message.body[HEADER..];
    let mac =
        find(attributes, HARDWARE_ADDRESS)?.try_into().ok().and_then(MacAddress::from_bytes)?;
    Some((on, ip(header[0], find(attributes, ADDRESS)?)?, mac))
}

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
        .map_err(refused("add neighbour", format_args!("{address} on {name}")))
}
