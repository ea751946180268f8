//! A service as whoever translates it knows it: one address, one port, and where it is served. Knows no client.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

/// One port of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Service {
    /// The address that clients know.
    pub address: IpAddr,
    /// The port that clients know; 0 is every one that no other service of the address has, over whatever, and nobody serves it.
    pub port: u16,
    /// Over what.
    pub protocol: Protocol,
    /// Where it is served; with none, clients are refused at once.
    pub backends: Vec<Backend>,
    /// For how many seconds a client stays with the backend that served it last; `None` lets chance decide each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<u32>,
}

/// A place where a service is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Backend {
    /// Its address, of the service's family.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Its part of new clients, beside the other backends' weights; 0 gets none.
    pub weight: u16,
}

/// What a service speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl Service {
    /// All that no service of the address has.
    pub fn other_ports(address: IpAddr) -> Self {
        Self { address, port: 0, protocol: Protocol::Tcp, backends: Vec::new(), affinity: None }
    }
}

/// `10.97.0.10:80/tcp`; `10.97.0.10 (other ports)`.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, protocol, .. } = self;
        match self.address {
            address if *port == 0 => write!(f, "{address} (other ports)"),
            IpAddr::V4(address) => write!(f, "{address}:{port}/{protocol}"),
            IpAddr::V6(address) => write!(f, "[{address}]:{port}/{protocol}"),
        }
    }
}
