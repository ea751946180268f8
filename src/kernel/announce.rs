//! Tells the neighbours of a sandbox's interface which MAC its addresses have now: gratuitous ARP (RFC 5227, section 3)
//! and unsolicited neighbour advertisements (RFC 4861, section 7.2.6). Best effort: whoever misses it asks by itself.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, OwnedFd},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike, sendto,
        socket,
    },
};

use super::{KernelError, LinuxKernel, link};
use crate::{
    plan::step::Place,
    types::{Deadline, InterfaceName, MacAddress},
};

/// How long to wait for a carrier. A card reports it some milliseconds after its link is up, and what is sent
/// before is dropped.
const CARRIER: Duration = Duration::from_millis(100);

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const BROADCAST: [u8; 6] = [0xff; 6];
/// All nodes (`ff02::1`) as an Ethernet address.
const ALL_NODES: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

/// Sends one announcement for each address.
pub(super) fn announce(
    kernel: &mut LinuxKernel,
    name: &InterfaceName,
    addresses: &[IpAddr],
    deadline: Deadline,
) -> Result<(), KernelError> {
    let found = link::by_name(kernel.netlink(Place::Sandbox)?, name)?;
    let Some((index, mac)) = found.and_then(|found| Some((found.index, found.mac?))) else {
        return Ok(());
    };
    let frames: Vec<Vec<u8>> = addresses.iter().map(|address| frame(mac, *address)).collect();
    let patience = CARRIER.min(deadline.remaining() / 2);
    let sent = kernel.sandbox()?.inside(|| send(index, name, &frames, patience))?;
    if let Err(errno) = sent {
        tracing::debug!(%name, %errno, "not announced");
    }
    Ok(())
}

fn frame(mac: MacAddress, address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => gratuitous_arp(mac, address),
        IpAddr::V6(address) => unsolicited_advertisement(mac, address),
    }
}

/// A request for the sender's own address: it updates caches and provokes no answer.
fn gratuitous_arp(mac: MacAddress, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet(BROADCAST, mac, ETHERTYPE_ARP);
    // Ethernet, IPv4, their address lengths, request.
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac.bytes());
    frame.extend(address.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame
}

fn unsolicited_advertisement(mac: MacAddress, address: Ipv6Addr) -> Vec<u8> {
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    // Type 136, the override flag, the target, and its link-layer address as an option.
    let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    message.extend(address.octets());
    message.extend([2, 1]);
    message.extend(mac.bytes());
    let length = u16::try_from(message.len()).unwrap_or_default();
    let checksum = icmpv6_checksum(address, all_nodes, &message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());

    let mut frame = ethernet(ALL_NODES, mac, ETHERTYPE_IPV6);
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length.to_be_bytes());
    // ICMPv6, and the hop limit that proves that no router was crossed.
    frame.extend([58, 255]);
    frame.extend(address.octets());
    frame.extend(all_nodes.octets());
    frame.extend(message);
    frame
}

fn ethernet(to: [u8; 6], from: MacAddress, kind: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(86);
    frame.extend(to);
    frame.extend(from.bytes());
    frame.extend(kind.to_be_bytes());
    frame
}

/// RFC 4443, section 2.3: over a pseudo header and the message, whose own checksum is zero.
fn icmpv6_checksum(from: Ipv6Addr, to: Ipv6Addr, message: &[u8]) -> u16 {
    let mut bytes = Vec::with_capacity(40 + message.len());
    bytes.extend(from.octets());
    bytes.extend(to.octets());
    bytes.extend(u32::try_from(message.len()).unwrap_or_default().to_be_bytes());
    bytes.extend([0, 0, 0, 58]);
    bytes.extend(message);
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

fn send(
    index: u32,
    name: &InterfaceName,
    frames: &[Vec<u8>],
    patience: Duration,
) -> Result<(), Errno> {
    let socket =
        socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None::<SockProtocol>)?;
    let deadline = Deadline::after(patience);
    while !has_carrier(&socket, name)? && !deadline.passed() {
        thread::sleep(Duration::from_millis(2));
    }
    let target = packet_address(index)?;
    for frame in frames {
        sendto(socket.as_raw_fd(), frame, &target, MsgFlags::empty())?;
    }
    Ok(())
}

nix::ioctl_readwrite_bad!(interface_flags, libc::SIOCGIFFLAGS, libc::ifreq);

fn has_carrier(socket: &OwnedFd, name: &InterfaceName) -> Result<bool, Errno> {
    #[expect(unsafe_code, reason = "no crate asks for the flags of one interface without a dump")]
    // SAFETY: all zero is a valid `ifreq`; the name fits with its terminating zero since an `InterfaceName` has 15
    // bytes at most; the kernel fills the flags of the union, which are read only after it said so.
    let flags = unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(name.as_str().bytes()) {
            *to = libc::c_char::from_ne_bytes([from]);
        }
        interface_flags(socket.as_raw_fd(), &raw mut request)?;
        request.ifr_ifru.ifru_flags
    };
    Ok(i32::from(flags) & libc::IFF_RUNNING != 0)
}

fn packet_address(index: u32) -> Result<LinkAddr, Errno> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET.try_into().unwrap_or_default(),
        sll_protocol: 0,
        sll_ifindex: i32::try_from(index).map_err(|_| Errno::ENODEV)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).ok();
    #[expect(unsafe_code, reason = "nix makes a LinkAddr only from raw parts")]
    // SAFETY: the pointer is to a whole `sockaddr_ll` of the right family, and `length` is its size.
    let made = unsafe { LinkAddr::from_raw((&raw const address).cast(), length) };
    made.ok_or(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &str = "02:00:00:00:00:01";

    #[test]
    fn an_arp_announcement_has_the_address_twice() {
        let frame = gratuitous_arp(MAC.parse().unwrap(), Ipv4Addr::new(192, 168, 0, 4));
        assert_eq!(frame.len(), 42);
        assert_eq!(&frame[28..32], &[192, 168, 0, 4]);
        assert_eq!(&frame[38..42], &[192, 168, 0, 4]);
    }

    /// A receiver sums the pseudo header and the whole message and must get all ones.
    #[test]
    fn an_advertisement_checks_out_at_its_receiver() {
        let address: Ipv6Addr = "fd00:10::100".parse().unwrap();
        let frame = unsolicited_advertisement(MAC.parse().unwrap(), address);
        let message = &frame[54..];
        assert_eq!(icmpv6_checksum(address, "ff02::1".parse().unwrap(), message), 0);
        assert_eq!(usize::from(u16::from_be_bytes([frame[18], frame[19]])), message.len());
    }
}
