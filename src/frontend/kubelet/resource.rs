//! What Kubernetes calls the devices of a pool. Pure.

use crate::{
    config::{Config, Publish},
    types::Name,
};

const DOMAIN: &str = "vfhook.dev/";

/// The extended resource of a pool.
pub(super) fn name(pool: &Name) -> String {
    format!("{DOMAIN}{pool}")
}

/// The published pool that a resource is of.
pub(super) fn pool<'a>(config: &'a Config, resource: &str) -> Option<&'a Name> {
    let wanted = resource.strip_prefix(DOMAIN)?;
    published(config).find(|pool| pool.as_str() == wanted)
}

/// The pools whose devices kubelet counts.
pub(super) fn published(config: &Config) -> impl Iterator<Item = &Name> {
    let published = |publish: Option<Publish>| publish == Some(Publish::DevicePlugin);
    config.pools.iter().filter(move |(_, pool)| published(pool.publish)).map(|(name, _)| name)
}
