//! Rules between fields of a configuration whose every field is well formed by itself.

use std::net::IpAddr;

use super::{Config, Network, PoolKind, Problem, ServicePath, ServicePathMode};
use crate::types::Name;

/// Everything that contradicts itself.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut problems: Vec<Problem> = config
        .pools
        .iter()
        .flat_map(|(name, pool)| {
            let mut found = Vec::new();
            let path = |key: &str| format!("pool \"{name}\".{key}");
            if pool.kind == PoolKind::Macvlan && pool.selector.pf.len() != 1 {
                found.push(Problem::new(
                    path("pf"),
                    "a macvlan pool has exactly one parent interface",
                ));
            }
            if pool.num_vfs.is_some()
                && (pool.kind != PoolKind::Sriov || pool.selector.pf.is_empty())
            {
                found.push(Problem::new(
                    path("num_vfs"),
                    "only for kind = \"sriov\" with pf given: provision must know where",
                ));
            }
            found
        })
        .collect();
    for (name, network) in &config.networks {
        problems.extend(of_network(config, name, network));
    }
    problems.extend(of_service_path(&config.service_path));
    problems
}

fn of_network(config: &Config, name: &Name, network: &Network) -> Vec<Problem> {
    let mut found = Vec::new();
    let path = |key: &str| format!("network \"{name}\".{key}");
    match config.pools.get(&network.pool) {
        None => {
            let known: Vec<&str> = config.pools.keys().map(Name::as_str).collect();
            found.push(
                Problem::new(path("pool"), format!("there is no pool \"{}\"", network.pool))
                    .fix(format!("pools: {}", known.join(", "))),
            );
        }
        Some(pool) if pool.kind != PoolKind::Sriov && !network.attributes.is_empty() => {
            found.push(Problem::new(
                path("pool"),
                "vlan, rates, spoof_check, link_state and trust need a pool of kind \"sriov\"",
            ));
        }
        Some(_) => {}
    }
    if let Some(mtu) = network.mtu.filter(|mtu| !(68..=65535).contains(mtu)) {
        found.push(Problem::new(path("mtu"), format!("expected 68 to 65535 bytes, found {mtu}")));
    }
    for ipv6 in [false, true] {
        if network.gateway.iter().filter(|gateway| gateway.is_ipv6() == ipv6).count() > 1 {
            found.push(Problem::new(path("gateway"), "more than one of a family"));
        }
    }
    found.extend(network.gateway.iter().filter(|gateway| !reachable(network, **gateway)).map(
        |gateway| Problem::new(path("gateway"), format!("{gateway} is on no network of addresses")),
    ));
    if network.default_route && network.gateway.is_empty() {
        found.push(Problem::new(path("default_route"), "needs a gateway"));
    }
    found
}

fn reachable(network: &Network, gateway: IpAddr) -> bool {
    let link_local = matches!(gateway, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80);
    link_local
        || network
            .addresses
            .iter()
            .any(|range| range.network().is_some_and(|net| net.contains(&gateway)))
}

fn of_service_path(path: &ServicePath) -> Vec<Problem> {
    let mut found = Vec::new();
    if path.mode != ServicePathMode::Veth {
        return found;
    }
    for ipv6 in [false, true] {
        let wanted = path.cidrs.iter().any(|cidr| cidr.addr().is_ipv6() == ipv6);
        let given = path.source.iter().any(|range| range.is_ipv6() == ipv6);
        if wanted && !given {
            let (family, example) =
                if ipv6 { ("IPv6", "fd00:96::/112") } else { ("IPv4", "169.254.96.0/20") };
            found.push(
                Problem::new(
                    "service_path.source",
                    format!("cidrs has an {family} network, source has none"),
                )
                .fix(format!("add a range of this node's own, such as \"{example}\"")),
            );
        }
        let next_hop = ServicePath::next_hop(ipv6);
        if path.source.iter().any(|range| range.contains_address(next_hop)) {
            found.push(Problem::new(
                "service_path.source",
                format!("has {next_hop}, which is the next hop of the service path"),
            ));
        }
    }
    let overlap =
        path.source.iter().filter_map(|range| Some((range, range.network()?))).find(|(_, net)| {
            path.cidrs.iter().any(|cidr| cidr.contains(&net.addr()) || net.contains(&cidr.addr()))
        });
    if let Some((range, _)) = overlap {
        found.push(Problem::new("service_path.source", format!("{range} overlaps with cidrs")));
    }
    found
}
