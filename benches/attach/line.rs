//! A netlink socket as one writes it by hand: send, wait for the acknowledgement, no more.

use std::os::fd::{AsRawFd, RawFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_sys::{
    Socket, SocketAddr,
    protocols::{NETLINK_NETFILTER, NETLINK_ROUTE},
};

/// A socket in the namespace of the thread that opened it.
pub(crate) struct Line(Socket);

impl Line {
    pub(crate) fn open() -> Self {
        Self::to(NETLINK_ROUTE)
    }

    pub(crate) fn to_netfilter() -> Self {
        Self::to(NETLINK_NETFILTER)
    }

    fn to(protocol: isize) -> Self {
        let mut socket = Socket::new(protocol).expect("open netlink");
        socket.bind_auto().expect("bind netlink");
        socket.connect(&SocketAddr::new(0, 0)).expect("connect netlink");
        Self(socket)
    }

    /// Sends one after the other, each when the one before was done. How many there were.
    pub(crate) fn say(&self, messages: Vec<(Message, u16)>) -> u64 {
        let mut count = 0;
        for (message, flags) in messages {
            let mut header = NetlinkHeader::default();
            header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
            let packet = packed(header, message);
            let code = self.ask(&packet);
            assert!(code == (2, 0), "the kernel answers {code:?} to {packet:?}");
            count += 1;
        }
        count
    }

    /// Sends a question that is answered in one message, and asks for no acknowledgement.
    pub(crate) fn look(&self, message: Message) -> u64 {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        let (kind, _) = self.ask(&packed(header, message));
        assert!(kind != 2, "the kernel refuses to tell");
        1
    }

    /// Sends a packet; the kind of the answer, and the number of the error if that is what it is.
    pub(crate) fn ask(&self, packet: &[u8]) -> (u16, i32) {
        self.0.send(packet, 0).expect("send");
        let mut answer = [0_u8; 16384];
        let length = self.0.recv(&mut &mut answer[..], 0).expect("receive");
        assert!(length >= 20, "an answer has a header");
        let kind = u16::from_ne_bytes(answer[4..6].try_into().expect("two bytes"));
        (kind, i32::from_ne_bytes(answer[16..20].try_into().expect("four bytes")))
    }
}

impl AsRawFd for Line {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn packed(header: NetlinkHeader, message: Message) -> Vec<u8> {
    let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    bytes
}
