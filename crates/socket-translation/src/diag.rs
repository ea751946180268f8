//! `sock_diag(7)`: the connected UDP sockets of the calling thread's network namespace, and the end of one of them (`linux/sock_diag.h`,
//! `linux/inet_diag.h`; kernel's `net/ipv4/udp_diag.c`, which tells nothing of what programs keep with such a socket). Knows no service.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket},
};

const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
const ERROR: u16 = 2;
const DONE: u16 = 3;

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;

/// `1 << TCP_ESTABLISHED`, which a UDP socket is from connect(2) on; and all states.
const CONNECTED: u32 = 1 << 1;
const ANY: u32 = u32::MAX;

/// Lengths of `struct nlmsghdr` and `struct inet_diag_sockid`.
const HEADER: usize = 16;
const NAME: usize = 48;

/// As much as the kernel puts into one datagram, and more.
const ROOM: usize = 65_536;

/// A socket, as the kernel finds it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    /// Its own address; of a socket of both families in the mapped form, as `remote` is then.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// The interface that it is bound to, or 0.
    pub(crate) device: u32,
    /// What no other socket of this machine has.
    pub(crate) cookie: u64,
}

/// A connection to the kernel, in the namespace of the thread that made it.
pub(crate) struct Diag(OwnedFd);

impl Diag {
    pub(crate) fn open() -> Result<Self, Errno> {
        let (kind, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC);
        let protocol = SockProtocol::NetlinkSockDiag;
        socket(AddressFamily::Netlink, kind, flags, protocol).map(Self)
    }

    /// Each connected UDP socket.
    pub(crate) fn connected(&self) -> Result<Vec<Name>, Errno> {
        let mut found = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let question = question(family, CONNECTED, &[0; NAME]);
            self.ask(BY_FAMILY, REQUEST | DUMP, &question, |body| found.extend(name_of(body)))?;
        }
        Ok(found)
    }

    /// Ends a socket's connection, and wakes whoever waits at it with `ECONNABORTED`. `ENOENT` where it is gone, or where the kernel knows
    /// nothing of UDP sockets; `EOPNOTSUPP` where it ends none.
    pub(crate) fn destroy(&self, name: &Name) -> Result<(), Errno> {
        let family = if name.local.is_ipv6() { libc::AF_INET6 } else { libc::AF_INET };
        self.ask(DESTROY, REQUEST | ACK, &question(family, ANY, &name_bytes(name)), |_| ())
    }

    /// Asks, and hands each answer over until the last.
    fn ask(
        &self,
        kind: u16,
        flags: u16,
        body: &[u8],
        mut hear: impl FnMut(&[u8]),
    ) -> Result<(), Errno> {
        let length = u32::try_from(HEADER + body.len()).map_err(|_| Errno::EMSGSIZE)?;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        send(self.0.as_raw_fd(), &message, MsgFlags::empty())?;
        let mut room = vec![0; ROOM];
        loop {
            let length = recv(self.0.as_raw_fd(), &mut room, MsgFlags::empty())?;
            let mut rest = room.get(..length).unwrap_or_default();
            while let Some((kind, body, after)) = message_in(rest) {
                match kind {
                    // Both begin with a number: 0, or that of an error below it.
                    DONE | ERROR => return ended(body),
                    _ => hear(body),
                }
                rest = after;
            }
        }
    }
}

fn ended(body: &[u8]) -> Result<(), Errno> {
    match body.first_chunk().copied().map_or(0, i32::from_ne_bytes) {
        0 => Ok(()),
        error => Err(Errno::from_raw(-error)),
    }
}

/// `struct inet_diag_req_v2`.
fn question(family: i32, states: u32, name: &[u8; NAME]) -> Vec<u8> {
    let byte = |number: i32| u8::try_from(number).unwrap_or_default();
    let mut question = vec![byte(family), byte(libc::IPPROTO_UDP), 0, 0];
    question.extend(states.to_ne_bytes());
    question.extend(name);
    question
}

/// `struct inet_diag_sockid`.
fn name_bytes(name: &Name) -> [u8; NAME] {
    let mut bytes = [0; NAME];
    bytes[..2].copy_from_slice(&name.local.port().to_be_bytes());
    bytes[2..4].copy_from_slice(&name.remote.port().to_be_bytes());
    for (at, address) in [(4, name.local.ip()), (20, name.remote.ip())] {
        match address {
            IpAddr::V4(address) => bytes[at..at + 4].copy_from_slice(&address.octets()),
            IpAddr::V6(address) => bytes[at..at + 16].copy_from_slice(&address.octets()),
        }
    }
    bytes[36..40].copy_from_slice(&name.device.to_ne_bytes());
    bytes[40..].copy_from_slice(&name.cookie.to_ne_bytes());
    bytes
}

/// The first message of a datagram: kind, body, and what comes after it.
fn message_in(datagram: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*datagram.first_chunk()?)).ok()?;
    let kind = datagram.get(4..6)?.first_chunk().copied().map(u16::from_ne_bytes)?;
    let body = datagram.get(HEADER..length)?;
    Some((kind, body, datagram.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The socket of an answer (`struct inet_diag_msg`).
fn name_of(body: &[u8]) -> Option<Name> {
    name_in(i32::from(*body.first()?), body.get(4..4 + NAME)?)
}

fn name_in(family: i32, bytes: &[u8]) -> Option<Name> {
    let port = |at: usize| Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let address = |at: usize| {
        let of = bytes.get(at..)?;
        Some(if family == libc::AF_INET6 {
            IpAddr::V6(Ipv6Addr::from(*of.first_chunk::<16>()?))
        } else {
            IpAddr::from(*of.first_chunk::<4>()?)
        })
    };
    Some(Name {
        local: SocketAddr::new(address(4)?, port(0)?),
        remote: SocketAddr::new(address(20)?, port(2)?),
        device: u32::from_ne_bytes(*bytes.get(36..)?.first_chunk()?),
        cookie: u64::from_ne_bytes(*bytes.get(40..)?.first_chunk()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(local: &str, remote: &str) -> Name {
        let [local, remote] = [local, remote].map(|text| text.parse().unwrap());
        Name { local, remote, device: 3, cookie: 0x0102_0304_0506_0708 }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for (family, one) in [
            (libc::AF_INET, name("10.0.0.1:40000", "10.0.0.11:53")),
            (libc::AF_INET6, name("[fd00::1]:40000", "[fd00::11]:53")),
            (libc::AF_INET6, name("[::ffff:10.0.0.1]:40000", "[::ffff:10.0.0.11]:53")),
        ] {
            let bytes = name_bytes(&one);
            assert_eq!(bytes[..4], [0x9c, 0x40, 0, 53]);
            assert_eq!(name_in(family, &bytes), Some(one));
        }
    }

    #[test]
    fn an_answer_that_is_cut_short_tells_of_nothing() {
        let one = name("10.0.0.1:40000", "10.0.0.11:53");
        let mut body = vec![2, 1, 0, 0];
        body.extend(name_bytes(&one));
        assert_eq!(name_of(&body), Some(one));
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let header = [length.to_ne_bytes(), [20, 0, 2, 0], [0; 4], [0; 4]].concat();
        let datagram = [header, body.clone(), vec![9]].concat();
        assert_eq!(message_in(&datagram), Some((20, &body[..], &[9][..])));
        for length in 0..body.len() {
            assert_eq!(name_of(&body[..length]), None, "{length}");
            assert_eq!(message_in(&datagram[..length]), None, "{length}");
        }
    }
}
