//! What the interfaces of a request are called whose networks count them: `storage,storage` is net1 and net2.

use std::collections::BTreeSet;

use super::{NetworkRequest, SandboxEvent};
use crate::{config::Config, types::InterfaceName};

/// The name of each interface that is asked for, in order; `None` for one whose network is unknown, or has no more names. Whoever names one
/// has it, and so has the service path; others are counted past them.
pub(super) fn names(config: &Config, event: &SandboxEvent) -> Vec<Option<InterfaceName>> {
    let fixed = event.networks.iter().filter_map(|asked| match &asked.interface {
        Some(name) => Some(name),
        None => config.networks.get(&asked.network)?.interface.fixed(),
    });
    let service = config.service_path.interface.iter().filter(|_| !event.service_path_off);
    let mut taken: BTreeSet<InterfaceName> = fixed.chain(service).cloned().collect();
    let name = |asked: &NetworkRequest| {
        if let Some(name) = &asked.interface {
            return Some(name.clone());
        }
        let network = config.networks.get(&asked.network)?;
        let name = network.interface.name(|name| taken.contains(name))?;
        taken.insert(name.clone());
        Some(name)
    };
    event.networks.iter().map(name).collect()
}
