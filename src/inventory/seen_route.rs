//! A route that somebody made, as far as one of ours beside it must know it. It is never changed.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::Route;
use crate::types::KernelText;

/// A route of any table but the kernel's own (`local`), of whatever type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRoute {
    /// The destination.
    pub to: IpNet,
    /// The metric; lower wins.
    pub metric: u32,
    /// The number of the routing protocol that made it.
    pub protocol: u8,
    /// The table that it is in.
    pub table: u32,
    /// The source address of what leaves by it.
    pub source: Option<IpAddr>,
    /// Where it leads. None for one that refuses, or that names a nexthop object and not what that is.
    pub hops: Vec<Hop>,
}

/// One way that a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The next hop, of either family; `None` means that the destination is on the link.
    pub via: Option<IpAddr>,
    /// The interface it leaves by.
    pub interface: KernelText,
    /// Whether the next hop is on the link though no address says so.
    pub onlink: bool,
}

/// Which families' routes a look at a sandbox tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteFamilies {
    /// IPv4.
    pub ipv4: bool,
    /// IPv6.
    pub ipv6: bool,
}

impl RouteFamilies {
    /// No route.
    pub const NONE: Self = Self { ipv4: false, ipv6: false };
    /// Every route.
    pub const BOTH: Self = Self { ipv4: true, ipv6: true };

    /// Whether a route to here is told.
    pub fn has(self, to: &IpNet) -> bool {
        if to.addr().is_ipv6() { self.ipv6 } else { self.ipv4 }
    }
}

impl SeenRoute {
    /// Whether it is in the main table.
    pub fn is_main(&self) -> bool {
        self.table == Route::MAIN
    }
}

impl fmt::Display for SeenRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to)?;
        for hop in &self.hops {
            hop.via.map_or(Ok(()), |via| write!(f, " via {via}"))?;
            write!(f, " dev {}", hop.interface)?;
        }
        write!(f, " metric {}", self.metric)
    }
}
