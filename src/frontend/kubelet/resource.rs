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
    config.published(Publish::DevicePlugin).find(|pool| pool.as_str() == wanted)
}
