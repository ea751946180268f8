//! A route, as found and as wanted.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::types::InterfaceName;

/// A unicast route of the main table with one next hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The destination; a prefix length of 0 is the default route.
    pub to: IpNet,
    /// The next hop; `None` means that the destination is on the link.
    pub via: Option<IpAddr>,
    /// The interface it leaves by.
    pub interface: InterfaceName,
    /// The source address of what leaves by it.
    pub source: Option<IpAddr>,
    /// Whether the next hop is on the link though no address says so.
    pub onlink: bool,
    /// The metric; lower wins.
    pub metric: u32,
    /// The number of the routing protocol that made it.
    pub protocol: u8,
    /// Attributes that vfhook has no opinion on (an MTU, a preference), by number and as they came, so that a route can be
    /// put back as it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<(u16, Vec<u8>)>,
}

impl Route {
    /// The metric that the kernel gives a route of this family that asks for none.
    pub fn usual_metric(ipv6: bool) -> u32 {
        if ipv6 { 1024 } else { 0 }
    }
}
