//! What is there and what was done, in numbers. Looks only, and at less than `status`: leases are counted and not judged.

use std::collections::BTreeMap;

use super::{
    Context, OperationError,
    audit::by_device,
    now,
    status::{PoolStatus, pools},
};
use crate::{
    kernel::Kernel,
    lease::{Lease, LeaseState},
    metrics::{Facts, LeaseLevel, PoolLevel},
    plan::Plan,
};

/// States of devices that have names of their own; every other is a reason why one is unusable.
const STATES: [&str; 6] =
    ["free", "leased", "reserved", "releasing", "needs cleanup", "kept for a pod"];

/// Counts all that metrics are made of.
pub fn measure(kernel: &mut impl Kernel, context: &Context) -> Result<Facts, OperationError> {
    let now = now();
    let states = ["attached", "reserved", "releasing", "needs cleanup"];
    let mut facts = Facts {
        leases: states.map(|state| (state, LeaseLevel::default())).into(),
        ..Facts::default()
    };
    let mut leases = Vec::new();
    for lease in context.leases.each()? {
        let Ok(lease) = lease else {
            facts.unreadable += 1;
            continue;
        };
        let level = facts.leases.entry(state(&lease.state)).or_default();
        level.count += 1;
        level.oldest = level.oldest.max(now.saturating_sub(lease.created));
        // What they did is most of them.
        leases.push(Lease { plan: Plan::default(), ..lease });
    }
    let holders = by_device(&leases);
    let pools = pools(kernel, context, &holders, &mut Vec::new())?;
    facts.pools = pools.iter().map(|pool| level(pool, &leases)).collect();
    facts.without = context.leases.missed()?.len() as u64;
    facts.counted = context.leases.counted()?.len() as u64;
    facts.prepared = context.leases.all_prepared()?.len() as u64;
    let history = context.leases.history();
    facts.tally = match history.tally() {
        Ok(tally) => Some(tally),
        Err(error) => {
            let directory = history.directory().display();
            tracing::warn!(%error, %directory, "the history cannot be read");
            None
        }
    };
    Ok(facts)
}

fn level(pool: &PoolStatus, leases: &[Lease]) -> PoolLevel {
    let mut devices = BTreeMap::new();
    if pool.free.is_some() {
        devices.extend(STATES.iter().chain(&["unusable"]).map(|state| (*state, 0)));
    }
    for device in &pool.devices {
        let state = STATES.iter().find(|state| **state == device.state);
        *devices.entry(state.copied().unwrap_or("unusable")).or_default() += 1;
    }
    let networks = leases.iter().flat_map(|lease| &lease.networks);
    let interfaces = networks.filter(|had| had.pool == pool.name).count() as u64;
    PoolLevel { name: pool.name.clone(), kind: pool.kind, devices, interfaces }
}

fn state(state: &LeaseState) -> &'static str {
    match state {
        LeaseState::Reserved => "reserved",
        LeaseState::Attached => "attached",
        LeaseState::Releasing => "releasing",
        LeaseState::NeedsCleanup { .. } => "needs cleanup",
    }
}
