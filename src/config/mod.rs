//! The configuration file made into typed values. Reports every problem at once; decides nothing about sandboxes.

mod accept;
mod allow;
mod announced;
mod attributes;
mod beside;
mod bind;
mod blocks;
mod bond;
mod cluster;
mod host_device;
mod interface_sysctl;
mod load;
mod made;
mod members;
mod network;
mod object;
mod plugin_file;
mod pool;
mod problem;
mod rdma;
mod resource;
mod route;
mod runtime;
mod section;
mod selector;
mod service;
mod service_path;
mod tell;
mod whole;

use std::{collections::BTreeMap, path::PathBuf};

pub use accept::{Meaning, Tool, Words};
pub use allow::Allow;
pub use announced::{Announced, AnnouncedService, announcement, parse_announced};
pub use beside::judge_networks;
pub use bind::Vfio;
pub use blocks::Blocks;
pub use cluster::Cluster;
pub use interface_sysctl::InterfaceSysctls;
pub use load::{ConfigError, load, load_beside, parse, parse_beside};
pub use network::Network;
pub use object::{
    Objects, RefusedNetwork, SaidNetwork, SaidNetworks, Told, Wants, Why, WithoutEffect,
    parse_said_networks, parse_said_service_networks, said_networks, said_service_networks,
};
pub use plugin_file::parse_plugin_file;
pub use pool::{Pool, PoolKind, Publish, Uncounted};
pub use problem::{Problem, on_one_line};
pub use route::{RouteKey, StaticRoute, everything};
pub use runtime::runtime_alone;
pub use service::ConfiguredService;
pub use service_path::{Mixed, ServicePath, ServicePathMode};
pub use tell::Tell;

use crate::types::Name;

/// All that an operator decides. Every reference in it resolves: a network's pool exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Where devices come from, by name.
    pub pools: BTreeMap<Name, Pool>,
    /// What a sandbox may have, by name.
    pub networks: BTreeMap<Name, Network>,
    /// How sandboxes reach service networks through the host.
    pub service_path: ServicePath,
    /// Services that become backends at the socket, by name.
    pub services: BTreeMap<Name, ConfiguredService>,
    /// Those that a cluster says it has. The file of the configuration says nothing of them.
    pub announced: Announced,
    /// What objects of a cluster came to here. The file says only whether they count.
    pub objects: Objects,
    /// The tools whose annotations are requests too, and what their words mean.
    pub accept: BTreeMap<Tool, Words>,
    /// The OCI runtime that `vfhook runtime` runs; `None` finds one.
    pub runtime: Option<PathBuf>,
    /// How a container is told what it was given, where it does not say so itself.
    pub tell: Tell,
    /// How long the nodes of a cluster wait for each other.
    pub cluster: Cluster,
}

impl Config {
    /// The pools whose devices Kubernetes' scheduler is told of in this way.
    pub fn published(&self, publish: Publish) -> impl Iterator<Item = &Name> {
        let published = self.pools.iter().filter(move |(_, pool)| pool.publish == Some(publish));
        published.map(|(name, _)| name)
    }
}
