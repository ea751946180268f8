//! Other tools' configuration made ours: texts in, a text out. Knows no machine, no file and no clock; asks nobody, so that what a
//! file leaves open is left to a comment. docs/import.md says where each key goes.

mod cni;
mod device_plugin;
mod draft;
mod fields;
mod function;
mod gather;
mod ipam;
mod join;
mod json;
mod keys;
mod kubernetes;
mod name;
mod node;
mod overlap;
mod place;
mod placeholder;
mod write;
mod yaml;

pub use gather::LONGEST;
pub use keys::{Keys, Manner};
pub use place::{Place, Remark};

use serde::Serialize;

use self::{join::Joined, write::Writer};
use crate::config;

/// A file.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is called, as a person knows it.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// What came of files.
#[derive(Debug, Default, Serialize)]
pub struct Imported {
    /// A configuration that [`config::parse`] accepts; `None` where there is no pool and no network.
    pub configuration: Option<String>,
    /// What was not taken.
    pub refused: Vec<Remark>,
    /// What has no counterpart, has no effect or is not quite the same here, in the files' order: the configuration has each of them as a
    /// comment.
    pub comments: Vec<Remark>,
}

/// What the readers know of keys: a table for each kind of object.
pub const TABLES: [&Keys; 30] = [
    &kubernetes::KINDS,
    &kubernetes::METADATA,
    &kubernetes::NET_ATTACH_DEF,
    &kubernetes::SRIOV_NETWORK,
    &kubernetes::MACVLAN_NETWORK,
    &kubernetes::NODE_POLICY,
    &kubernetes::NIC_SELECTOR,
    &device_plugin::DEVICE_PLUGIN,
    &device_plugin::RESOURCE,
    &device_plugin::SELECTORS,
    &cni::LIST,
    &cni::TYPES,
    &cni::PLUGIN,
    &cni::CAPABILITIES,
    &cni::SRIOV,
    &cni::HUSTCAT,
    &cni::INTEL,
    &cni::DEVICEINFO,
    &cni::MACVLAN,
    &cni::CHAINED,
    &cni::TUNING,
    &ipam::HOST_LOCAL,
    &ipam::RANGE,
    &ipam::STATIC,
    &ipam::STATIC_ADDRESS,
    &ipam::WHEREABOUTS,
    &ipam::WHEREABOUTS_RANGE,
    &ipam::FIXIPAM,
    &ipam::DHCP,
    &ipam::ROUTE,
];

/// Makes one configuration of all files. What cannot be taken is refused by itself, and the rest goes on.
pub fn import(sources: &[Source]) -> Imported {
    let mut joined = join::join(gather::read(sources));
    if joined.pools.is_empty() && joined.networks.is_empty() {
        if joined.refused.is_empty() {
            let place = Place::new(sources.first().map_or("", |source| &source.name), 1);
            let nothing = "there is no pool and no network in it".to_owned();
            let passed = joined.remarks.iter().map(ToString::to_string);
            let told: Vec<String> = [nothing].into_iter().chain(passed).collect();
            joined.refused.push(place.remark(told.join("; ")));
        }
        return Imported { configuration: None, refused: joined.refused, comments: Vec::new() };
    }
    let comments = comments(&joined);
    let text = written(sources, &joined);
    match config::parse(&text) {
        Ok(_) => Imported { configuration: Some(text), refused: joined.refused, comments },
        Err(problems) => {
            let place = Place::new(sources.first().map_or("", |source| &source.name), 1);
            let told = config::on_one_line(&problems);
            joined.refused.push(place.remark(format!("together it is no configuration: {told}")));
            Imported { configuration: None, refused: joined.refused, comments }
        }
    }
}

fn comments(joined: &Joined) -> Vec<Remark> {
    let pools = joined.pools.iter().flat_map(|pool| &pool.remarks);
    let networks = joined.networks.iter().flat_map(|network| &network.remarks);
    let mut all: Vec<Remark> =
        joined.remarks.iter().chain(pools).chain(networks).cloned().collect();
    all.sort();
    all.dedup();
    all
}

fn written(sources: &[Source], joined: &Joined) -> String {
    let names = sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ");
    let first = format!("Made by `vfhook import` of {names}");
    let mut writer = Writer::new(&[
        &first,
        "See what the comments say, then `vfhook --config THIS-FILE check-config`.",
        "Interfaces are net1, net2 … where nothing else was said: with Multus a pod counted its own.",
    ]);
    writer.remarks("Not taken:", &joined.refused);
    writer.remarks("Passed over:", &joined.remarks);
    joined.pools.iter().for_each(|pool| writer.pool(pool));
    joined.networks.iter().for_each(|network| writer.network(network));
    writer.finish() + SERVICE_PATH
}

/// What no other tool has.
const SERVICE_PATH: &str = "
# How containers reach service networks over the host is vfhook's own, and nothing that was imported says it:
# [service_path]
# mode = \"veth\"
# cidrs = [\"10.96.0.0/12\"]
# interface = \"svc0\"
# source = [\"169.254.96.0/20\"]
";
