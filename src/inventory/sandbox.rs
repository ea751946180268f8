//! What is in a sandbox's network namespace already.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{Hop, Ipv6, Route, SeenRoute};
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
    /// The main table's routes of the families that a plan must know, in the kernel's order.
    pub routes: Vec<SeenRoute>,
    /// Other tables that have routes of these families.
    pub tables: BTreeSet<u32>,
    /// What IPv6 is like on interfaces that appear here.
    pub ipv6: Ipv6,
}

impl SandboxFacts {
    /// Takes routes of all tables apart: those of the main one, and which other tables have any.
    pub fn by_table(routes: Vec<SeenRoute>) -> (Vec<SeenRoute>, BTreeSet<u32>) {
        let (main, others): (Vec<_>, Vec<_>) =
            routes.into_iter().partition(|route| route.table == Route::MAIN);
        (main, others.into_iter().map(|route| route.table).collect())
    }

    /// Whether an interface of this name, main or alternative, is there.
    pub fn has(&self, name: &InterfaceName) -> bool {
        self.names.contains(&KernelText::from(name))
    }

    /// The metric by which a route of ours to `to` wins over all that are there; or the route that leaves none.
    ///
    /// A new IPv4 route comes before those of its metric. A new IPv6 route comes after them, or shares the way with them.
    pub fn metric_to_win(&self, to: &IpNet) -> Result<u32, &SeenRoute> {
        let usual = Route::usual_metric(to.addr().is_ipv6());
        let there = self.routes.iter().filter(|route| route.to == *to && to.addr().is_ipv6());
        match there.min_by_key(|route| route.metric) {
            None => Ok(usual),
            Some(first) if first.metric <= 1 => Err(first),
            Some(first) => Ok(usual.min(first.metric - 1)),
        }
    }

    /// The gateway of the default route that wins among those over an interface.
    pub fn gateway(&self, interface: &InterfaceName, ipv6: bool) -> Option<&Hop> {
        let defaults = self.routes.iter().filter(|route| route.to.prefix_len() == 0);
        let own = defaults.filter(|route| route.to.addr().is_ipv6() == ipv6);
        let over = |hop: &&Hop| hop.interface == *interface && hop.via.is_some();
        let hops = own.filter_map(|route| Some((route.metric, route.hops.iter().find(over)?)));
        hops.min_by_key(|(metric, _)| *metric).map(|(_, hop)| hop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NetnsSource;

    fn facts(routes: &[(&str, u32, &[&str])]) -> SandboxFacts {
        let hop = |text: &&str| Hop {
            via: Some(text.split(' ').next().unwrap().parse().unwrap()),
            interface: KernelText::new(text.split(' ').nth(1).unwrap()),
            onlink: false,
        };
        let route = |(to, metric, hops): &(&str, u32, &[&str])| SeenRoute {
            to: to.parse().unwrap(),
            metric: *metric,
            protocol: 3,
            table: Route::MAIN,
            source: None,
            hops: hops.iter().map(hop).collect(),
        };
        SandboxFacts {
            netns: NetnsIdentity { cookie: 1, source: NetnsSource::Pid(1) },
            names: BTreeSet::new(),
            macs: BTreeSet::new(),
            routes: routes.iter().map(route).collect(),
            tables: BTreeSet::new(),
            ipv6: Ipv6::On,
        }
    }

    fn metric(to: &str, metrics: &[u32]) -> Option<u32> {
        let routes: Vec<(&str, u32, &[&str])> =
            metrics.iter().map(|metric| (to, *metric, &[][..])).collect();
        facts(&routes).metric_to_win(&to.parse().unwrap()).ok()
    }

    #[test]
    fn an_ipv4_route_needs_no_metric_to_win() {
        assert_eq!(metric("0.0.0.0/0", &[0, 0, 100]), Some(0));
    }

    #[test]
    fn an_ipv6_route_has_a_lower_metric_than_all_that_are_there() {
        for (there, ours) in [
            (&[][..], Some(1023)),
            (&[1024], Some(1023)),
            (&[u32::MAX], Some(1023)),
            (&[1023], Some(1022)),
            (&[1024, 256, 512], Some(255)),
            (&[2], Some(1)),
            (&[1024, 1], None),
        ] {
            assert_eq!(metric("::/0", there), ours, "{there:?}");
        }
    }

    #[test]
    fn routes_to_elsewhere_do_not_count() {
        let facts = facts(&[("fd00::/8", 1, &[]), ("fd00:96::/112", 1, &[])]);
        assert_eq!(facts.metric_to_win(&"fd00:96::/108".parse().unwrap()), Ok(1023));
    }

    #[test]
    fn the_gateway_is_that_of_the_route_that_wins_over_the_interface() {
        let facts = facts(&[
            ("0.0.0.0/0", 50, &["10.1.0.1 eth1"]),
            ("0.0.0.0/0", 100, &["10.1.0.2 eth1", "fe80::7 eth0"]),
            ("0.0.0.0/0", 100, &["10.1.0.3 eth0"]),
            ("0.0.0.0/0", 20, &[]),
            ("::/0", 7, &["fe80::1 eth0"]),
        ]);
        let via = |name: &str, ipv6| {
            let hop = facts.gateway(&name.parse().unwrap(), ipv6)?;
            hop.via.map(|via| via.to_string())
        };
        assert_eq!(via("eth0", false).as_deref(), Some("fe80::7"));
        assert_eq!(via("eth1", false).as_deref(), Some("10.1.0.1"));
        assert_eq!(via("eth0", true).as_deref(), Some("fe80::1"));
        assert_eq!(via("eth1", true), None);
    }
}
