//! The plumbing of netlink: sockets and what is in a datagram. Knows no message's meaning.

pub(crate) mod attribute;
pub(crate) mod datagram;
mod ready;
mod room;
pub(crate) mod socket;
