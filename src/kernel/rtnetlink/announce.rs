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
    os::fd::{AsRawFd, OwnedFd},
    thread,
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
        bind, sendmsg, socket,
    },
};

use crate::kernel::{KernelError, LinuxKernel};
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
    let named = name.clone();
    let sent = kernel.sandbox()?.inside(move || advertise(index, &named, &advertised, patience))?;
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

fn advertise(
    index: u32,
    name: &InterfaceName,
    addresses: &[Ipv6Addr],
    patience: Duration,
) -> Result<(), Errno> {
    let open = || {
        // The kernel fills in the checksum of such a socket's messages.
        let protocol = SockProtocol::IcmpV6;
        socket(AddressFamily::Inet6, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
    };
    let asking = open()?;
    // Once for all of them: they share the link.
    await_carrier(&asking, name, patience)?;
    // Asked for now that it is up: some drivers learn then which one they may use.
    let Some(mac) = hardware_address(&asking, name)? else { return Ok(()) };
    for address in addresses {
        let socket = open()?;
        bind(socket.as_raw_fd(), &SockaddrIn6::from(SocketAddrV6::new(*address, 0, 0, 0)))?;
        let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let to = SockaddrIn6::from(SocketAddrV6::new(all_nodes, 0, 0, index));
        let message = advertisement(mac, *address);
        let control = [ControlMessage::Ipv6HopLimit(&HOP_LIMIT)];
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

pub(crate) fn await_carrier(
    socket: &OwnedFd,
    name: &InterfaceName,
    patience: Duration,
) -> Result<(), Errno> {
    let deadline = Deadline::after(patience);
    while !has_carrier(socket, name)? && !deadline.passed() {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

nix::ioctl_readwrite_bad!(get_flags, libc::SIOCGIFFLAGS, libc::ifreq);
nix::ioctl_readwrite_bad!(get_hardware_address, libc::SIOCGIFHWADDR, libc::ifreq);

pub(crate) fn has_carrier(socket: &OwnedFd, name: &InterfaceName) -> Result<bool, Errno> {
    let mut request = about(name);
    #[expect(unsafe_code, reason = "no crate asks for the flags of one interface without a dump")]
    // SAFETY: the kernel fills the flags of the union, which are read only after it said so.
    let flags = unsafe {
        get_flags(socket.as_raw_fd(), &raw mut request)?;
        request.ifr_ifru.ifru_flags
    };
    Ok(i32::from(flags) & libc::IFF_RUNNING != 0)
}

/// `None` for what is no Ethernet.
pub(crate) fn hardware_address(
    socket: &OwnedFd,
    name: &InterfaceName,
) -> Result<Option<MacAddress>, Errno> {
    let mut request = about(name);
    #[expect(unsafe_code, reason = "no crate asks for the address of one interface without a dump")]
    // SAFETY: the kernel fills the hardware address of the union, which is read only after it said so.
    let found = unsafe {
        get_hardware_address(socket.as_raw_fd(), &raw mut request)?;
        request.ifr_ifru.ifru_hwaddr
    };
    if found.sa_family != libc::ARPHRD_ETHER {
        return Ok(None);
    }
    let mut bytes = [0; 6];
    for (to, from) in bytes.iter_mut().zip(found.sa_data) {
        *to = from.to_ne_bytes()[0];
    }
    Ok(MacAddress::from_bytes(bytes))
}

/// A question about an interface.
fn about(name: &InterfaceName) -> libc::ifreq {
    #[expect(unsafe_code, reason = "the structure of the C library has no constructor")]
    // SAFETY: all zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // It fits with its terminating zero: an `InterfaceName` has 15 bytes at most.
    for (to, from) in request.ifr_name.iter_mut().zip(name.as_str().bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request
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
