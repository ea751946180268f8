//! A route of ours, as wanted.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::types::KernelText;

/// A unicast route with one next hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The destination; a prefix length of 0 is the default route.
    pub to: IpNet,
    /// The next hop; `None` means that the destination is on the link.
    pub via: Option<IpAddr>,
    /// The interface it leaves by.
    pub interface: KernelText,
    /// The source address of what leaves by it.
    pub source: Option<IpAddr>,
    /// Whether the next hop is on the link though no address says so.
    pub onlink: bool,
    /// The metric; lower wins.
    pub metric: u32,
    /// The number of the routing protocol that made it.
    pub protocol: u8,
    /// The table that it is in.
    #[serde(default = "Route::main_table", skip_serializing_if = "Route::is_main_table")]
    pub table: u32,
    /// Attributes that vfhook has no opinion on (an MTU, a preference), by number and as they came: only leases of earlier
    /// versions, which put routes of the sandbox back, have any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<(u16, Vec<u8>)>,
}

impl Route {
    /// The routing protocol number that marks our routes. `rtnetlink.h` and `rt_protos` assign it to nobody.
    pub const PROTOCOL: u8 = 118;

    /// The table that the kernel looks into by itself (`RT_TABLE_MAIN`).
    pub const MAIN: u32 = 254;

    fn main_table() -> u32 {
        Self::MAIN
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_main_table(table: &u32) -> bool {
        *table == Self::MAIN
    }

    /// The metric of ours where nobody else's is lower: before those that ask for none, and before those that IPv6 learns from
    /// routers (1024).
    pub fn usual_metric(ipv6: bool) -> u32 {
        if ipv6 { 1023 } else { 0 }
    }

    /// Whether it is in the main table.
    pub fn is_main(&self) -> bool {
        self.table == Self::MAIN
    }

    /// Whether vfhook made it.
    pub fn is_ours(&self) -> bool {
        self.protocol == Self::PROTOCOL
    }
}
