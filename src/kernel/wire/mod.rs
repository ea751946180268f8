//! Asks on a wire who has an address, before a sandbox does: an ARP probe (RFC 5227, section 2.1) for IPv4, a neighbour
//! solicitation without a source (RFC 4862, section 5.4.2) for IPv6. What is asked so disturbs no neighbour's memory.
//!
//! The kernel's own detection would keep an IPv6 address waiting for up to two seconds, and does nothing for IPv4.

mod frame;
mod survey;

use std::{
    net::IpAddr,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrLike, bind, recv, send,
        socket,
    },
};

pub(crate) use self::survey::survey;
use crate::{
    inventory::Link,
    kernel::{
        KernelError, LinuxKernel,
        rtnetlink::ask::{await_carrier, hardware_address, has_carrier},
    },
    plan::step::Place,
    types::{Deadline, InterfaceName, MacAddress},
};

/// How often it is asked: a question may be lost.
const QUESTIONS: u32 = 3;

/// How long each question waits for an answer.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long to wait for a carrier: without one nobody hears.
const CARRIER: Duration = Duration::from_secs(2);

/// How long the host is given for one question about somebody else's address; with a carrier half of it is used at most.
const HOST_PATIENCE: Duration = Duration::from_millis(400);

/// What came of it.
enum Answer {
    /// Nobody has any of them.
    Nobody,
    /// Who has which.
    Has(IpAddr, MacAddress),
    /// The interface has no carrier.
    NoCarrier,
}

/// Fails if somebody on the wire of `name` has one of `addresses`, or if nobody could be asked. Takes 0.6 s, and less when there is
/// little time.
pub(crate) fn probe(
    kernel: &mut LinuxKernel,
    name: &InterfaceName,
    addresses: &[IpAddr],
    deadline: Deadline,
) -> Result<(), KernelError> {
    let index = kernel.index(Place::Sandbox, name)?;
    let answer = kernel.sandbox()?.inside(|| ask(index, name, addresses, deadline))?;
    let refused = KernelError::refused("ask who has an address on the wire of", name.to_string());
    match answer.map_err(refused)? {
        Answer::Nobody => Ok(()),
        Answer::Has(address, mac) => {
            Err(KernelError::InUseOnWire { address, mac, name: name.clone() })
        }
        Answer::NoCarrier => Err(KernelError::absent(
            format!("the wire of {name}"),
            "there is no carrier, so nobody can be asked who has its addresses (conflict_check)",
        )),
    }
}

/// The MAC with which somebody answers for `address` on the wire of an interface of the host.
pub(crate) fn who_answers(from: &Link, address: IpAddr) -> Option<MacAddress> {
    let name = from.name.as_str()?.parse().ok().filter(|_| from.up)?;
    match ask(from.index, &name, &[address], Deadline::after(HOST_PATIENCE)) {
        Ok(Answer::Has(_, mac)) => Some(mac),
        Ok(Answer::Nobody | Answer::NoCarrier) => None,
        Err(errno) => {
            tracing::debug!(%name, %address, %errno, "the wire could not be asked");
            None
        }
    }
}

fn ask(
    index: u32,
    name: &InterfaceName,
    addresses: &[IpAddr],
    deadline: Deadline,
) -> Result<Answer, Errno> {
    // One for each kind of answer: other frames of a busy wire are not even delivered.
    let mut sockets = Vec::new();
    for ipv6 in [false, true] {
        if addresses.iter().any(|address| address.is_ipv6() == ipv6) {
            sockets.push(open(index, ipv6)?);
        }
    }
    let Some(first) = sockets.first() else { return Ok(Answer::Nobody) };
    await_carrier(first, name, CARRIER.min(deadline.remaining() / 4))?;
    if !has_carrier(first, name)? {
        return Ok(Answer::NoCarrier);
    }
    // Asked for now that it is up: some drivers learn then which one they may use.
    let Some(own) = hardware_address(first, name)? else { return Ok(Answer::Nobody) };
    let patience = PATIENCE.min(deadline.remaining() / (2 * QUESTIONS));
    for _ in 0..QUESTIONS {
        for address in addresses {
            let asked = frame::question(*address, own);
            let socket = if address.is_ipv6() { sockets.last() } else { sockets.first() };
            send_all(socket.unwrap_or(first), &asked)?;
        }
        if let Some((address, mac)) = hear(&sockets, addresses, own, Deadline::after(patience))? {
            return Ok(Answer::Has(address, mac));
        }
    }
    Ok(Answer::Nobody)
}

/// A packet socket that hears frames of one family on one interface.
fn open(index: u32, ipv6: bool) -> Result<OwnedFd, Errno> {
    // Without a protocol it hears nothing until it is bound to its interface.
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
    let protocol = if ipv6 { frame::IPV6 } else { frame::ARP };
    let raw = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).map_err(|_| Errno::EAFNOSUPPORT)?,
        sll_protocol: protocol.to_be(),
        sll_ifindex: i32::try_from(index).map_err(|_| Errno::ENODEV)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    #[expect(unsafe_code, reason = "nix has no constructor for the address of a link")]
    // SAFETY: the pointer is to a whole `sockaddr_ll`, of which the kernel's and nix's length is that of the type.
    let address = unsafe { LinkAddr::from_raw((&raw const raw).cast(), None) };
    bind(socket.as_raw_fd(), &address.ok_or(Errno::EINVAL)?)?;
    Ok(socket)
}

/// A queue that is full for a moment loses one question of several.
fn send_all(socket: &OwnedFd, frame: &[u8]) -> Result<(), Errno> {
    match send(socket.as_raw_fd(), frame, MsgFlags::empty()) {
        Ok(_) | Err(Errno::ENOBUFS | Errno::EAGAIN) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Who says until `end` that it has one of `addresses`.
fn hear(
    sockets: &[OwnedFd],
    addresses: &[IpAddr],
    own: MacAddress,
    end: Deadline,
) -> Result<Option<(IpAddr, MacAddress)>, Errno> {
    answers_in(sockets, end, |heard| {
        let claims = |address: &IpAddr| Some((*address, frame::claimant(heard, *address, own)?));
        addresses.iter().find_map(claims)
    })
}

/// The first thing that `found` makes of a frame that comes until `end`.
fn answers_in<T>(
    sockets: &[OwnedFd],
    end: Deadline,
    mut found: impl FnMut(&[u8]) -> Option<T>,
) -> Result<Option<T>, Errno> {
    let mut buffer = [0; 2048];
    while !end.passed() {
        let mut polled: Vec<PollFd> =
            sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        let left = end.remaining() + Duration::from_millis(1);
        match poll(&mut polled, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        for socket in sockets {
            let received = match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(received) => received,
                Err(Errno::EAGAIN | Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            };
            if let Some(found) = found(&buffer[..received.min(buffer.len())]) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}
