//! The messages that lead to the end state, spelled out. The numbers of links are chosen by us, so none is asked for; names,
//! addresses and MACs are given.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::RawFd,
};

use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage as Message,
    address::{AddressAttribute, AddressFlags, AddressMessage},
    link::{
        InfoData, InfoKind, InfoMacVlan, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
        MacVlanMode,
    },
    neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
    },
    route::{
        RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
    },
};

/// Of the floor that is alone; promises are its.
pub(crate) const HOST_END_NAME: &str = "svc8";

/// One of several floors that may be there at the same time: numbers, names, MACs and sources that are its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Which(pub(crate) u8);

impl Which {
    pub(crate) const ALONE: Self = Self(0);

    pub(crate) fn host_end(self) -> u32 {
        self.number(1)
    }

    fn inside_end(self) -> u32 {
        self.number(2)
    }

    pub(crate) fn macvlan(self) -> u32 {
        self.number(3)
    }

    /// Higher than what the kernel gives out by itself in these namespaces.
    fn number(self, end: u32) -> u32 {
        900_000 + 4 * u32::from(self.0) + end
    }

    fn host_end_name(self) -> String {
        if self.0 == 0 { HOST_END_NAME.to_owned() } else { format!("{HOST_END_NAME}-{}", self.0) }
    }

    fn host_mac(self) -> [u8; 6] {
        self.mac(1)
    }

    fn inside_mac(self) -> [u8; 6] {
        self.mac(2)
    }

    pub(crate) fn macvlan_mac(self) -> [u8; 6] {
        self.mac(3)
    }

    fn mac(self, end: u8) -> [u8; 6] {
        [2, 0, 0, self.0, 8, end]
    }

    fn sources(self) -> [String; 2] {
        [format!("169.254.111.{}/32", self.0), format!("fd00:97::ff{:02x}/128", self.0)]
    }
}

/// The addresses of the network's interface.
pub(crate) const IPV4: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 252);
pub(crate) const IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0x252);

/// vfhook's routing protocol number.
const PROTOCOL: u8 = 118;

pub(crate) fn veth(which: Which, namespace: RawFd) -> Message {
    let peer = numbered(
        which.inside_end(),
        vec![
            LinkAttribute::NetNsFd(namespace),
            LinkAttribute::IfName("svc0".to_owned()),
            LinkAttribute::Address(which.inside_mac().to_vec()),
            LinkAttribute::NumTxQueues(1),
            LinkAttribute::NumRxQueues(1),
        ],
    );
    let mut message = numbered(
        which.host_end(),
        vec![
            LinkAttribute::IfName(which.host_end_name()),
            LinkAttribute::Address(which.host_mac().to_vec()),
            LinkAttribute::NumTxQueues(1),
            LinkAttribute::NumRxQueues(1),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ],
    );
    bring_up(&mut message);
    Message::NewLink(message)
}

pub(crate) fn macvlan(which: Which, card: u32, namespace: RawFd) -> Message {
    Message::NewLink(numbered(
        which.macvlan(),
        vec![
            LinkAttribute::NetNsFd(namespace),
            LinkAttribute::IfName("net1".to_owned()),
            LinkAttribute::Link(card),
            LinkAttribute::Address(which.macvlan_mac().to_vec()),
            LinkAttribute::Mtu(1400),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Bridge)])),
            ]),
        ],
    ))
}

pub(crate) fn path_inside(which: Which) -> Vec<(Message, u16)> {
    let end = which.inside_end();
    let mut messages = vec![(up(end), 0)];
    let ways = [("169.254.1.1", "10.96.0.0/12"), ("fe80::1", "fd00:96::/108")];
    for (source, (hop, cidr)) in which.sources().iter().zip(ways) {
        let source: ipnet::IpNet = source.parse().expect("an address");
        let hop: IpAddr = hop.parse().expect("an address");
        messages.push(address(end, source));
        messages.push(neighbour(end, hop, which.host_mac()));
        messages.push(route(end, cidr, Some(hop), Some(source.addr())));
    }
    messages
}

pub(crate) fn path_outside(which: Which) -> Vec<(Message, u16)> {
    let end = which.host_end();
    let each = which.sources().map(|source| {
        let net: ipnet::IpNet = source.parse().expect("an address");
        [neighbour(end, net.addr(), which.inside_mac()), route(end, &source, None, None)]
    });
    each.into_iter().flatten().collect()
}

pub(crate) fn network(device: u32) -> Vec<(Message, u16)> {
    let v4 = ipnet::IpNet::new(IPV4.into(), 24).expect("a length");
    let v6 = ipnet::IpNet::new(IPV6.into(), 64).expect("a length");
    vec![
        (up(device), 0),
        address(device, v4),
        address(device, v6),
        route(device, "0.0.0.0/0", "192.168.0.1".parse().ok(), None),
        route(device, "::/0", "fd00:10::1".parse().ok(), None),
    ]
}

/// Up, and tagged as vfhook tags what is its own.
fn up(index: u32) -> Message {
    let mut message = numbered(index, vec![LinkAttribute::IfAlias("vfhook:floor".to_owned())]);
    bring_up(&mut message);
    Message::SetLink(message)
}

fn bring_up(message: &mut LinkMessage) {
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
}

/// The question about one link.
pub(crate) fn link(index: u32) -> Message {
    Message::GetLink(numbered(index, vec![]))
}

/// Its end.
pub(crate) fn deletion(index: u32) -> (Message, u16) {
    (Message::DelLink(numbered(index, vec![])), 0)
}

/// Makes the kernel ask for the interface's own address at once.
pub(crate) fn announcement(device: u32) -> (Message, u16) {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = device;
    message.header.kind = RouteType::Unicast;
    message.header.flags = NeighbourFlags::Use;
    message.attributes = vec![NeighbourAttribute::Destination(NeighbourAddress::Inet(IPV4))];
    (Message::NewNeighbour(message), NLM_F_CREATE)
}

pub(crate) fn numbered(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = attributes;
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet }
}

fn address(index: u32, address: ipnet::IpNet) -> (Message, u16) {
    let mut message = AddressMessage::default();
    message.header.family = family(address.addr());
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.attributes =
        vec![AddressAttribute::Address(address.addr()), AddressAttribute::Local(address.addr())];
    match address {
        ipnet::IpNet::V4(net) if net.prefix_len() < 31 => {
            message.attributes.push(AddressAttribute::Broadcast(net.broadcast()));
        }
        ipnet::IpNet::V4(_) => {}
        ipnet::IpNet::V6(_) => {
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    (Message::NewAddress(message), NLM_F_CREATE)
}

fn neighbour(index: u32, address: IpAddr, mac: [u8; 6]) -> (Message, u16) {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.header.kind = RouteType::Unicast;
    let destination = match address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    };
    message.attributes = vec![
        NeighbourAttribute::Destination(destination),
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
    ];
    (Message::NewNeighbour(message), NLM_F_CREATE)
}

fn route(index: u32, to: &str, via: Option<IpAddr>, source: Option<IpAddr>) -> (Message, u16) {
    let to: ipnet::IpNet = to.parse().expect("a network");
    let mut message = RouteMessage::default();
    message.header.address_family = family(to.addr());
    message.header.destination_prefix_length = to.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::from(PROTOCOL);
    message.header.kind = RouteType::Unicast;
    let is_default = to.prefix_len() == 0;
    message.header.scope = match via {
        _ if to.addr().is_ipv6() => RouteScope::Universe,
        None => RouteScope::Link,
        Some(_) if is_default => RouteScope::Other(PROTOCOL),
        Some(_) => RouteScope::Universe,
    };
    if source.is_some() {
        message.header.flags = RouteFlags::Onlink;
    }
    message.attributes.push(RouteAttribute::Oif(index));
    if to.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(to.addr().into()));
    }
    message.attributes.extend(via.map(|via| RouteAttribute::Gateway(via.into())));
    message.attributes.extend(source.map(|source| RouteAttribute::PrefSource(source.into())));
    (Message::NewRoute(message), NLM_F_CREATE)
}
