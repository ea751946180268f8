//! What is in a sandbox's network namespace already.

use std::collections::BTreeSet;

use super::{Ipv6, Route};
use crate::types::{InterfaceName, KernelText, MacAddress, NetnsIdentity};

/// A sandbox's namespace as found before anything is put into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxFacts {
    /// Which namespace.
    pub netns: NetnsIdentity,
    /// Names and alternative names of all interfaces in it.
    pub names: BTreeSet<KernelText>,
    /// Their hardware addresses.
    pub macs: BTreeSet<MacAddress>,
    /// Its routes; looked up only when a plan may need them.
    pub routes: Vec<Route>,
    /// What IPv6 is like on interfaces that appear here.
    pub ipv6: Ipv6,
}

impl SandboxFacts {
    /// Whether an interface of this name, main or alternative, is there.
    pub fn has(&self, name: &InterfaceName) -> bool {
        self.names.contains(&KernelText::from(name))
    }

    /// The default route of a family that wins: the one with the lowest metric.
    pub fn default_route(&self, ipv6: bool) -> Option<&Route> {
        let defaults = self.routes.iter().filter(|route| route.to.prefix_len() == 0);
        defaults.filter(|route| route.to.addr().is_ipv6() == ipv6).min_by_key(|route| route.metric)
    }

    /// The route that `wanted` would take the place of.
    pub fn replaced_by(&self, wanted: &Route) -> Option<&Route> {
        self.routes.iter().find(|route| route.to == wanted.to && route.metric == wanted.metric)
    }
}
