//! Requests whose body is ready: what the kernel told of, sent back as it came. Knows no message's meaning.

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use nix::errno::Errno;

use crate::kernel::{
    Refusal,
    netlink::socket::{Message, Netlink, errno_of},
};

impl Netlink {
    /// Asks for a change and waits for the acknowledgement. `flags` are those of `NLM_F_CREATE` and its like.
    pub(crate) fn change_ready(&mut self, message: &Message, flags: u16) -> Result<(), Refusal> {
        self.send_ready(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        self.collect(self.sequence, |_| false).map(drop)
    }

    /// Asks for everything of a kind.
    pub(crate) fn dump_ready(&mut self, message: &Message) -> Result<Vec<Message>, Refusal> {
        self.consistent(|socket| {
            socket.send_ready(message, NLM_F_REQUEST | NLM_F_DUMP)?;
            Ok(socket.sequence)
        })
    }

    /// Puts the header of `struct nlmsghdr` before it.
    fn send_ready(&mut self, message: &Message, flags: u16) -> Result<(), Refusal> {
        const HEADER: usize = 16;
        self.sequence = self.sequence.wrapping_add(1);
        let length = u32::try_from(HEADER + message.body.len()).map_err(|_| Errno::EMSGSIZE)?;
        let mut bytes = Vec::with_capacity(HEADER + message.body.len());
        bytes.extend(length.to_ne_bytes());
        bytes.extend(message.kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(&message.body);
        self.socket.send(&bytes, 0).map_err(errno_of)?;
        self.sent += 1;
        Ok(())
    }
}
