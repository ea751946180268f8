//! Tells the neighbours of a sandbox's interface which MAC its addresses have now, so that nobody keeps sending to the
//! one who had them before. Best effort: whoever misses it asks by itself, some seconds later.
//!
//! For IPv4 the kernel is made to ask for the interface's own address, which is a gratuitous ARP (RFC 5227, section 3). It
//! repeats the question each second, up to three times: a card whose carrier is not there yet is not waited for. A packet
//! socket would cost a grace period of RCU (some 10 ms) when it is closed.
//!
//! For IPv6 an unsolicited neighbour advertisement (RFC 4861, section 7.2.6) is sent once there is a carrier.

use std::{
    io::IoSlice,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6},
    os::fd::AsRawFd,
    time::Duration,
};

use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_route::{
    AddressFamily as Family, RouteNetlinkMessage,
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage},
    route::RouteType,
};
use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, ControlMessage, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6,
        sendmsg, socket,
    },
};

use crate::kernel::{KernelError, LinuxKernel, netlink::socket::Netlink, rtnetlink::ask};
use crate::{
    plan::step::Place,
    types::{Deadline, InterfaceName, MacAddress},
};

/// How long to wait for a carrier before an advertisement. A card reports it some milliseconds after its link is up, and
/// what is sent before is dropped.
const CARRIER: Duration = Duration::from_millis(100);

/// Only a message that crossed no router has this (RFC 4861, section 7.1.2).
const HOP_LIMIT: libc::c_int = 255;

/// Announces each address.
pub(crate) fn announce(
    kernel: &mut LinuxKernel,
    name: &InterfaceName,
    addresses: &[IpAddr],
    deadline: Deadline,
) -> Result<(), KernelError> {
    let index = kernel.index(Place::Sandbox, name)?;
    let mut advertised = Vec::new();
    for address in addresses {
        match address {
            IpAddr::V4(address) => ask_for_own(kernel, index, *address)?,
            IpAddr::V6(address) => advertised.push(*address),
        }
    }
    if advertised.is_empty() {
        return Ok(());
    }
    let patience = CARRIER.min(deadline.remaining() / 2);
    let sandbox = kernel.sandbox()?;
    let sender = sender(&sandbox.netlink, name, patience);
    let sent = sandbox.inside(|| {
        let Some(mac) = sender? else { return Ok(()) };
        advertise(index, mac, &advertised)
    })?;
    if let Err(errno) = sent {
        tracing::debug!(%name, %errno, "not advertised");
    }
    Ok(())
}

/// `NTF_USE` makes the kernel resolve the address at once, with that very address as the source.
fn ask_for_own(kernel: &mut LinuxKernel, index: u32, address: Ipv4Addr) -> Result<(), KernelError> {
    let mut message = NeighbourMessage::default();
    message.header.family = Family::Inet;
    message.header.ifindex = index;
    message.header.kind = RouteType::Unicast;
    message.header.flags = NeighbourFlags::Use;
    message.attributes = vec![NeighbourAttribute::Destination(NeighbourAddress::Inet(address))];
    let request = RouteNetlinkMessage::NewNeighbour(message);
    if let Err(refusal) = kernel.netlink(Place::Sandbox)?.change(request, NLM_F_CREATE) {
        tracing::debug!(%address, %refusal, "not announced");
    }
    Ok(())
}

/// The hardware address to speak of, asked for once there is a carrier: some drivers learn only when they are up which one they may use.
fn sender(
    socket: &Netlink,
    name: &InterfaceName,
    patience: Duration,
) -> Result<Option<MacAddress>, Errno> {
    ask::await_carrier(socket, name, patience)?;
    ask::hardware_address(socket, name)
}

/// Tells all nodes, each address by itself. The thread is in the sandbox.
fn advertise(index: u32, mac: MacAddress, addresses: &[Ipv6Addr]) -> Result<(), Errno> {
    // The kernel fills in the checksum of such a socket's messages.
    let protocol = SockProtocol::IcmpV6;
    let socket = socket(AddressFamily::Inet6, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let to = SockaddrIn6::from(SocketAddrV6::new(all_nodes, 0, 0, index));
    for address in addresses {
        let message = advertisement(mac, *address);
        let from = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
            ipi6_ifindex: index,
        };
        let control =
            [ControlMessage::Ipv6HopLimit(&HOP_LIMIT), ControlMessage::Ipv6PacketInfo(&from)];
        let parts = [IoSlice::new(&message)];
        sendmsg(socket.as_raw_fd(), &parts, &control, MsgFlags::empty(), Some(&to))?;
    }
    Ok(())
}

/// Type 136 with the override flag, the target, and its link-layer address as an option.
fn advertisement(mac: MacAddress, address: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    message.extend(address.octets());
    message.extend([2, 1]);
    message.extend(mac.bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertisement_has_the_target_and_its_mac() {
        let message = advertisement("02:00:00:00:00:01".parse().unwrap(), Ipv6Addr::LOCALHOST);
        assert_eq!(message.len(), 32);
        assert_eq!(&message[8..24], &Ipv6Addr::LOCALHOST.octets());
        assert_eq!(&message[24..], &[2, 1, 2, 0, 0, 0, 0, 1]);
    }
}
