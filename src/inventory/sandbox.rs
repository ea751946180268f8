//! What is in a sandbox's network namespace already.

use std::{collections::BTreeSet, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::types::{InterfaceName, NetnsIdentity};

/// A sandbox's namespace as found before anything is put into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxFacts {
    /// Which namespace.
    pub netns: NetnsIdentity,
    /// Names and alternative names of all interfaces in it.
    pub names: BTreeSet<String>,
    /// Default routes of the main table; looked up only when a plan may need them.
    pub default_routes: Vec<DefaultRoute>,
    /// Whether interfaces that appear here come up without IPv6 (`net.ipv6.conf.default.disable_ipv6`).
    pub ipv6_disabled: bool,
}

/// A default route with a single next hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRoute {
    /// The interface it leaves by.
    pub interface: InterfaceName,
    /// The next hop; also says the family.
    pub gateway: IpAddr,
    /// Its metric.
    pub metric: u32,
    /// The number of the routing protocol that made it.
    pub protocol: u8,
    /// Whether the next hop is taken to be on the link though no address says so.
    pub onlink: bool,
}

impl SandboxFacts {
    /// Whether an interface of this name, main or alternative, is there.
    pub fn has(&self, name: &InterfaceName) -> bool {
        self.names.contains(name.as_str())
    }

    /// The default route of a family that wins: the one with the lowest metric.
    pub fn default_route(&self, ipv6: bool) -> Option<&DefaultRoute> {
        self.default_routes
            .iter()
            .filter(|route| route.gateway.is_ipv6() == ipv6)
            .min_by_key(|route| route.metric)
    }
}
