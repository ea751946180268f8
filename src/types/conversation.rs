//! A UDP socket of a sandbox that is connected to a backend of a service. Knows no service.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What such a socket is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Conversation {
    /// Address and port of the backend; of a socket of both families in the mapped form, as `local` is then.
    pub backend: SocketAddr,
    /// The socket's own.
    pub local: SocketAddr,
    /// The number of the interface that the socket is bound to, or 0.
    pub device: u32,
    /// What no other socket of this machine has, nor will have.
    pub cookie: u64,
}

impl Conversation {
    /// The backend as services name it.
    pub fn with(&self) -> SocketAddr {
        SocketAddr::new(self.backend.ip().to_canonical(), self.backend.port())
    }
}
