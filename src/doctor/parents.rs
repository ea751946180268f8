//! The parents of pools whose devices are made: there, up, and with no bridge or bond of their own.

use super::{Code, Facts, Finding, cards::too_short};
use crate::{
    config::Config,
    inventory::Link,
    types::{DeviceName, Name},
};

/// Each such pool with its parent.
fn parents(config: &Config) -> impl Iterator<Item = (&Name, &DeviceName)> {
    let made = config.pools.iter().filter(|(_, pool)| pool.kind.is_made());
    made.flat_map(|(name, pool)| pool.selector.pf.iter().map(move |parent| (name, parent)))
}

fn links<'a>(facts: &'a Facts, config: &'a Config) -> impl Iterator<Item = &'a Link> {
    parents(config).filter_map(|(_, parent)| facts.host.device(parent))
}

/// Whether each is there.
pub(super) fn present(facts: &Facts, config: &Config) -> Vec<Finding> {
    let absent = parents(config).filter(|(_, parent)| facts.host.device(parent).is_none());
    absent
        .map(|(pool, parent)| {
            let breaks = format!("there is no such interface, and pool {pool} makes devices on it");
            let advice = format!("correct pf of pool {pool}; `ip link` lists interfaces");
            Finding::error(Code::ParentAbsent, parent.to_string(), breaks).advise(advice)
        })
        .collect()
}

/// Whether each is up: a device on it has no carrier otherwise.
pub(super) fn up(facts: &Facts, config: &Config) -> Vec<Finding> {
    let down = links(facts, config).filter(|link| !link.up);
    down.map(|link| {
        Finding::error(
            Code::ParentDown,
            link.name.to_string(),
            "it is down, so devices on it have no carrier",
        )
        .run([format!("ip link set {} up", link.name)])
    })
    .collect()
}

/// Whether each takes devices: what comes in by a port of a bridge or a bond is theirs already.
pub(super) fn free(facts: &Facts, config: &Config) -> Vec<Finding> {
    let enslaved = links(facts, config).filter_map(|link| {
        let master = facts.host.links.iter().find(|other| Some(other.index) == link.master)?;
        Some((link, master))
    });
    enslaved
        .map(|(link, master)| {
            let breaks = format!(
                "it belongs to {}, and the kernel refuses devices on a port of a bridge or a bond",
                master.name
            );
            let advice = format!(
                "make {} the pool's pf, or `ip link set {} nomaster`",
                master.name, link.name
            );
            Finding::warning(Code::ParentEnslaved, link.name.to_string(), breaks).advise(advice)
        })
        .collect()
}

/// Whether each passes packets as long as its networks want: the kernel refuses a device that is longer than its parent.
pub(super) fn long_enough(facts: &Facts, config: &Config) -> Vec<Finding> {
    let parents = parents(config);
    parents
        .filter_map(|(pool, parent)| too_short(config, pool, facts.host.device(parent)?))
        .collect()
}
