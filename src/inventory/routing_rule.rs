//! A rule of ours by which the kernel chooses a table of routes.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What is sent from these addresses is looked up in this table before the main one. Marked as ours by [`super::Route::PROTOCOL`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoutingRule {
    /// The addresses.
    pub from: IpNet,
    /// The table.
    pub table: u32,
    /// Its place among the rules; lower comes first.
    pub priority: u32,
}

impl RoutingRule {
    /// The place of ours: behind the kernel's own addresses (0), before the main table (32766).
    pub const PRIORITY: u32 = 11800;
}
