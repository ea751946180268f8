//! `[cluster]`, and what a network must say besides whose addresses are the whole cluster's: a node gives those of blocks that it owns in the API
//! server.

use std::net::IpAddr;

use address_blocks::{Grid, Waits};
use ipnet::IpNet;

use super::{
    Network, Pool, PoolKind,
    section::{Named, Section},
};
use crate::types::{AddressRange, kept_by_network};

/// What this node has of its cluster, and how long nodes wait for each other, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cluster {
    /// Those of whoever holds blocks.
    pub waits: Waits,
    /// For how long an address is given to nobody after its sandbox.
    pub rest: u32,
    /// Whether the cluster's `Network` objects are networks of this node, too.
    pub networks: bool,
}

impl Default for Cluster {
    fn default() -> Self {
        Self { waits: Waits::DEFAULT, rest: 60_000, networks: false }
    }
}

/// The longest wait, in seconds.
const LONGEST: u32 = 1_000_000;

impl Network {
    /// The cells of the ranges of one family, and which of their addresses may be given; `None` where all are this node's.
    pub fn grid(&self, ipv6: bool) -> Option<Grid> {
        let blocks = self.blocks?;
        let ranges = || self.addresses.iter().filter(|range| range.is_ipv6() == ipv6);
        let ends: Vec<(IpAddr, IpAddr)> = ranges().map(AddressRange::ends).collect();
        let own = ranges().filter_map(AddressRange::network).flat_map(kept);
        let excluded = self.gateway.iter().copied().chain(own);
        Some(Grid::new(blocks.prefix(ipv6), &ends, excluded))
    }
}

/// The network's own address, and that for all on it.
fn kept(net: IpNet) -> impl Iterator<Item = IpAddr> {
    let whole = [net.network(), net.broadcast()];
    let is_kept = move |address: &IpAddr| {
        IpNet::new(*address, net.prefix_len()).ok().and_then(kept_by_network).is_some()
    };
    whole.into_iter().filter(is_kept)
}

/// Reads `[cluster]`.
pub(super) fn read(section: &mut Section) -> Cluster {
    let usual = Cluster::default();
    let waits = usual.waits;
    let settle = wait(section, "settle", 1, waits.settle);
    let hold = wait(section, "hold", 1, waits.hold);
    let retry = wait(section, "retry", 1, waits.retry);
    if hold < settle {
        section.problem("hold", "is less than settle: nothing would ever be given");
    }
    Cluster {
        waits: Waits {
            settle,
            quiet: wait(section, "quiet", 0, waits.quiet),
            hold,
            // As long as it may be.
            pulse: settle,
            idle: wait(section, "idle", 1, waits.idle),
            retry,
            retry_most: waits.retry_most.max(retry),
            ask_again: wait(section, "ask_again", 1, waits.ask_again),
        },
        rest: wait(section, "rest", 0, usual.rest),
        networks: section.optional("networks").unwrap_or(usual.networks),
    }
}

/// A wait that is said in seconds, in milliseconds.
fn wait(section: &mut Section, key: &'static str, least: u32, usual: u32) -> u32 {
    let Some(seconds) = section.optional::<u32>(key) else { return usual };
    if !(least..=LONGEST).contains(&seconds) {
        section.problem(key, format!("expected {least} to {LONGEST} seconds, found {seconds}"));
        return usual;
    }
    seconds * 1000
}

/// What a network's other keys must say where its addresses are the cluster's.
pub(super) fn check(section: &mut Section, networks: &[Named<Network>], pools: &[Named<Pool>]) {
    for (at, element) in networks.iter().enumerate() {
        let shared = element.value.as_ref().filter(|network| network.blocks.is_some());
        let Some(network) = shared else { continue };
        let is_asked_for =
            pool_of(network, pools).is_none_or(|pool| network.is_asked_for(pool.kind));
        if network.addresses.is_empty() {
            let message = "needs addresses: the ranges are the whole cluster's";
            section.problem(&format!("network[{at}].cluster"), message);
        } else if !network.conflict_check && !is_asked_for {
            let message = "needed with cluster: this host has no interface on the wire of these devices, so no block can be asked for before it is used";
            section.problem(&format!("network[{at}].conflict_check"), message);
        }
    }
    refuse_overlaps(section, networks, pools);
}

impl Network {
    /// Whether an interface of the host is on the network's wire, by which all addresses of a block can be asked for.
    fn is_asked_for(&self, kind: PoolKind) -> bool {
        let is_tagged = self.attributes.vlan.is_some_and(|vlan| vlan.id != 0);
        match kind {
            PoolKind::Sriov => !is_tagged,
            PoolKind::Made(upper) => upper.has_neighbours(),
            PoolKind::Vlan | PoolKind::HostDevice | PoolKind::Bond => false,
        }
    }
}

/// What another network of this node gives by itself, no cluster can promise to one node.
fn refuse_overlaps(section: &mut Section, networks: &[Named<Network>], pools: &[Named<Pool>]) {
    let whole: Vec<_> = networks
        .iter()
        .enumerate()
        .filter_map(|(at, network)| Some((at, network.name.as_ref()?, network.value.as_ref()?)))
        .collect();
    for (at, _, network) in whole.iter().filter(|(_, _, network)| network.blocks.is_some()) {
        let others = whole.iter().filter(|(other, _, with)| {
            // Two that are the cluster's are told of once.
            other != at && (with.blocks.is_none() || other > at)
        });
        for (_, name, other) in others {
            let meets = || {
                let theirs =
                    |own: &AddressRange| other.addresses.iter().any(|its| own.overlaps(its));
                network.addresses.iter().any(theirs)
            };
            if network.may_share_wire(other) && shares_port(network, other, pools) && meets() {
                let message = format!(
                    "network {name} gives addresses of the same ranges, of which the cluster knows nothing"
                );
                section.problem(&format!("network[{at}].cluster"), message);
            }
        }
    }
}

/// Whether the devices of two networks may be of one card, as far as the file tells.
fn shares_port(one: &Network, other: &Network, pools: &[Named<Pool>]) -> bool {
    let shared = pool_of(one, pools).zip(pool_of(other, pools)).is_some_and(|(one, other)| {
        one.selector.pf.iter().any(|pf| other.selector.pf.contains(pf))
    });
    one.pool == other.pool || shared
}

fn pool_of<'a>(network: &Network, pools: &'a [Named<Pool>]) -> Option<&'a Pool> {
    let named = pools.iter().find(|pool| pool.name.as_ref() == Some(&network.pool));
    named.and_then(|pool| pool.value.as_ref())
}
