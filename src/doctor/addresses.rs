//! Whether the addresses of the service path mean something else on this host already.

use ipnet::IpNet;

use super::{Code, Facts, Finding};
use crate::{config::Config, inventory::Route, types::AddressRange};

/// `source` and `cidrs` against the host's routes.
pub(super) fn overlaps(facts: &Facts, config: &Config) -> Vec<Finding> {
    let path = &config.service_path;
    let foreign = |route: &&Route| route.to.prefix_len() > 0 && !route.interface.is_ours();
    let routes: Vec<&Route> = facts.host.routes.iter().filter(foreign).collect();
    let mut findings = Vec::new();
    if path.mode.has_pair() {
        for network in path.source.iter().filter_map(AddressRange::network) {
            let taken =
                routes.iter().filter(|route| meet(network, route.to) && !is_zeroconf(route.to));
            findings.extend(taken.map(|route| taken_source(network, route)));
        }
    }
    for cidr in &path.cidrs {
        let near = |route: &&&Route| {
            route.via.is_none() && meet(*cidr, route.to) && !is_zeroconf(route.to)
        };
        let near = routes.iter().filter(near);
        findings.extend(near.map(|route| on_link(*cidr, route)));
    }
    findings
}

fn taken_source(network: IpNet, route: &Route) -> Finding {
    let breaks = format!(
        "the host has a route to {} over {}: of each address there that a container is given for its service path, the host \
         reaches the container and no longer whoever had it",
        route.to, route.interface
    );
    Finding::warning(Code::SourceRouted, format!("service_path.source {network}"), breaks)
        .advise("choose a range for source that the host has no route to")
}

fn on_link(cidr: IpNet, route: &Route) -> Finding {
    let breaks = format!(
        "{} is a network of the host's {}: what containers send there goes through the host and not through their device",
        route.to, route.interface
    );
    Finding::info(Code::ServiceNetworkOnLink, format!("service_path.cidrs {cidr}"), breaks)
        .advise("nothing when that is wanted; otherwise make cidrs narrower")
}

fn meet(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// The route that zeroconf gives an interface for the whole link-local network, of which `source` is meant to be a part, and
/// the address of a node's own DNS.
fn is_zeroconf(net: IpNet) -> bool {
    matches!(net, IpNet::V4(net) if net.addr().octets() == [169, 254, 0, 0] && net.prefix_len() == 16)
}
