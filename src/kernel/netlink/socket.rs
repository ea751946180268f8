//! A netlink socket: requests out, answers in, and the kernel's words on a refusal. Knows no message's meaning.

use std::{
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    time::Duration,
};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{setsockopt, sockopt::RcvBufForce},
};

use crate::kernel::{
    Refusal,
    netlink::{
        datagram::{RawContent, RawMessage, raw_messages},
        room::Room,
    },
};

/// How often a dump that changed under way is begun anew.
const DUMP_TRIES: usize = 8;

/// An answer or an event, not yet understood.
pub(crate) struct Message {
    /// What kind of message it is.
    pub(crate) kind: u16,
    /// What comes after the header that all have.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// `None` for what ends an answer.
    pub(crate) fn of(message: &RawMessage) -> Option<Self> {
        let RawContent::Body(body) = message.content else { return None };
        Some(Self { kind: message.kind, body: body.to_vec() })
    }
}

/// A socket in the namespace of the thread that opened it.
pub(crate) struct Netlink {
    pub(super) socket: Socket,
    pub(super) sequence: u32,
    pub(super) sent: u64,
    buffer: Room,
}

impl Netlink {
    /// Opens a socket for routing messages in the calling thread's namespace.
    pub(crate) fn route() -> Result<Self, Errno> {
        let socket = Self::open(NETLINK_ROUTE)?;
        // Without strict checks the kernel would not filter an address dump by link.
        socket.socket.set_netlink_get_strict_chk(true).map_err(errno_of)?;
        Ok(socket)
    }

    /// Opens a socket of any netlink protocol.
    pub(crate) fn open(protocol: isize) -> Result<Self, Errno> {
        let mut socket = Socket::new(protocol).map_err(errno_of)?;
        socket.bind_auto().map_err(errno_of)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(errno_of)?;
        socket.set_ext_ack(true).map_err(errno_of)?;
        socket.set_cap_ack(true).map_err(errno_of)?;
        Ok(Self { socket, sequence: 0, sent: 0, buffer: Room::for_a_datagram() })
    }

    /// Opens a socket that hears of every link that appears or changes in the calling thread's namespace.
    pub(crate) fn link_events() -> Result<Self, Errno> {
        const RTNLGRP_LINK: u32 = 1;
        Self::events(NETLINK_ROUTE, &[RTNLGRP_LINK])
    }

    /// Opens a socket that hears what is told to these groups in the calling thread's namespace.
    pub(crate) fn events(protocol: isize, groups: &[u32]) -> Result<Self, Errno> {
        let socket = Self::listening(protocol, groups)?;
        // Only that something happened matters, so a lost event is none.
        socket.socket.set_no_enobufs(true).map_err(errno_of)?;
        Ok(socket)
    }

    /// Opens a socket that hears what is told to these groups in the calling thread's namespace, of which `room` bytes may wait
    /// until they are read. More than that is `ENOBUFS` where it is read.
    pub(crate) fn watch(protocol: isize, groups: &[u32], room: usize) -> Result<Self, Errno> {
        let socket = Self::listening(protocol, groups)?;
        setsockopt(&socket.descriptor(), RcvBufForce, &room)?;
        Ok(socket)
    }

    fn listening(protocol: isize, groups: &[u32]) -> Result<Self, Errno> {
        let socket = Self::open(protocol)?;
        for group in groups {
            socket.socket.add_membership(*group).map_err(errno_of)?;
        }
        Ok(socket)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        #[expect(unsafe_code, reason = "netlink-sys gives out its descriptor only raw")]
        // SAFETY: `self.socket` is open and stays so for as long as `self` is borrowed.
        unsafe {
            BorrowedFd::borrow_raw(self.socket.as_raw_fd())
        }
    }

    /// Waits until something was heard, or `patience` is over: then nothing was.
    pub(crate) fn heard(&mut self, patience: Duration) -> Result<Vec<Message>, Errno> {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let polled = poll(&mut [PollFd::new(self.descriptor(), PollFlags::POLLIN)], timeout);
        match polled {
            Ok(0) | Err(Errno::EINTR) => Ok(Vec::new()),
            Ok(_) => {
                let received = self.receive()?;
                let all = raw_messages(&self.buffer[..received]);
                Ok(all.iter().filter_map(Message::of).collect())
            }
            Err(errno) => Err(errno),
        }
    }

    /// How many messages were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Asks for a change and waits for the acknowledgement. `flags` are those of `NLM_F_CREATE` and its like.
    pub(crate) fn change(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), Refusal> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        self.collect(self.sequence, |_| false).map(drop)
    }

    /// Asks for one thing.
    pub(crate) fn get(&mut self, message: RouteNetlinkMessage) -> Result<Message, Refusal> {
        self.send(message, NLM_F_REQUEST)?;
        let mut found = None;
        self.collect(self.sequence, |answer| {
            found = Some(answer);
            true
        })?;
        found.ok_or_else(|| Errno::ENODATA.into())
    }

    /// Asks for everything of a kind. A dump during which something changed is asked for again.
    pub(crate) fn dump(&mut self, message: &RouteNetlinkMessage) -> Result<Vec<Message>, Refusal> {
        self.consistent(|socket| {
            socket.send(message.clone(), NLM_F_REQUEST | NLM_F_DUMP)?;
            Ok(socket.sequence)
        })
    }

    /// The answers to what `ask` sends, which gives its number; asked again as long as the kernel says that they are not
    /// consistent.
    pub(super) fn consistent(
        &mut self,
        mut ask: impl FnMut(&mut Self) -> Result<u32, Refusal>,
    ) -> Result<Vec<Message>, Refusal> {
        for _ in 0..DUMP_TRIES {
            let sequence = ask(self)?;
            let mut answers = Vec::new();
            let whole = self.collect(sequence, |answer| {
                answers.push(answer);
                false
            })?;
            if whole {
                return Ok(answers);
            }
        }
        Err(interrupted())
    }

    /// Sends ready-made bytes, which hold `count` messages, and waits for the acknowledgement of sequence number `last`.
    /// The first refusal among them is the answer.
    pub(crate) fn transact_raw(
        &mut self,
        bytes: &[u8],
        count: u64,
        last: u32,
    ) -> Result<(), Refusal> {
        self.socket.send(bytes, 0).map_err(errno_of)?;
        self.sent += count;
        let mut refused = None;
        loop {
            let received = self.receive()?;
            for message in raw_messages(&self.buffer[..received]) {
                if let RawContent::End(Err(refusal)) = message.content {
                    refused.get_or_insert(refusal);
                }
                if message.sequence == last || refused.is_some() {
                    return refused.map_or(Ok(()), Err);
                }
            }
        }
    }

    /// Sends a ready-made request for one thing, numbered `sequence`.
    pub(crate) fn get_raw(&mut self, bytes: &[u8], sequence: u32) -> Result<Message, Refusal> {
        self.socket.send(bytes, 0).map_err(errno_of)?;
        self.sent += 1;
        let mut found = None;
        self.collect(sequence, |answer| {
            found = Some(answer);
            true
        })?;
        found.ok_or_else(|| Errno::ENODATA.into())
    }

    /// Sends a ready-made request for a dump, numbered `sequence`, and gives all answers. A dump during which something
    /// changed is asked for again.
    pub(crate) fn dump_raw(
        &mut self,
        bytes: &[u8],
        sequence: u32,
    ) -> Result<Vec<Message>, Refusal> {
        self.consistent(|socket| {
            socket.socket.send(bytes, 0).map_err(errno_of)?;
            socket.sent += 1;
            Ok(sequence)
        })
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), Refusal> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map_err(errno_of)?;
        self.sent += 1;
        Ok(())
    }

    /// Gives the answers to request number `sequence` to `take`, until the last one or until `take` has enough. `false` when
    /// the kernel said that they are not consistent.
    pub(super) fn collect(
        &mut self,
        sequence: u32,
        mut take: impl FnMut(Message) -> bool,
    ) -> Result<bool, Refusal> {
        let mut consistent = true;
        loop {
            let received = self.receive()?;
            for message in raw_messages(&self.buffer[..received]) {
                if message.sequence != sequence {
                    continue;
                }
                consistent &= !message.interrupted;
                if let RawContent::End(answer) = message.content {
                    return answer.map(|()| consistent);
                }
                if Message::of(&message).is_some_and(&mut take) {
                    return Ok(consistent);
                }
            }
        }
    }

    fn receive(&mut self) -> Result<usize, Errno> {
        loop {
            // Its capacity is what one datagram may fill; it is not filled with anything before, since most of it never is.
            self.buffer.clear();
            match self.socket.recv(&mut *self.buffer, 0) {
                Ok(received) => return Ok(received),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(errno_of(error)),
            }
        }
    }
}

/// For options and questions that netlink-sys does not know.
impl AsRawFd for Netlink {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn interrupted() -> Refusal {
    Refusal {
        errno: Errno::EINTR,
        text: Some("the dump was interrupted by changes each time".to_owned()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
pub(super) fn errno_of(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
