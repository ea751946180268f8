//! What this node itself has for a holder: what was published before, which addresses are in use and at rest, how many are wanted; and where
//! what may be given is published. It must not decide what that is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use address_blocks::{Grant, Leases, Need, scarce};
use vfhook::{
    kernel::LinuxKernel,
    lease::LeaseError,
    operation::{Context, free_devices},
    types::{Deadline, Name, with_causes},
};

use super::call::Caller;
use crate::node::blocking;

/// How long a lock of the table may take.
const LOCK: Duration = Duration::from_secs(10);

/// What a former agent published; what cannot be believed is none.
pub(super) fn remembered(context: &Context, network: &Name, ipv6: bool) -> Option<Grant> {
    context.leases.grant(network, ipv6).unwrap_or_else(|error| {
        tracing::error!(%network, error = with_causes(&error), "what was published before is not believed");
        None
    })
}

/// The addresses of a network that sandboxes have, and those that rest.
pub(super) async fn leases(context: &Arc<Context>, network: &Name) -> Result<Leases, String> {
    let (context, network) = (Arc::clone(context), network.clone());
    blocking(move || context.leases.addresses_of(&network).map_err(|error| with_causes(&error)))
        .await
}

/// How many addresses are to be ready: no more than there are devices for. Where nobody knows, a few.
pub(super) async fn need(context: &Arc<Context>, network: &Name) -> Need {
    let (context, name) = (Arc::clone(context), network.clone());
    let found = blocking(move || {
        let mut kernel = LinuxKernel::open().map_err(|error| with_causes(&error))?;
        let free =
            free_devices(&mut kernel, &context, &name).map_err(|error| with_causes(&error))?;
        let blocks = context.config.networks.get(&name).and_then(|network| network.blocks);
        Ok(scarce(free, blocks.map_or(1, |blocks| blocks.size)))
    });
    found.await.unwrap_or_else(|error| {
        tracing::warn!(%network, error, "how many devices are free is not known");
        scarce(u32::MAX, 1)
    })
}

/// Publishes what was known at `decided`, unless whoever knew it has ended by then: whoever comes after it waits for the same lock.
pub(super) async fn publish(
    context: Arc<Context>,
    caller: Arc<Caller>,
    grant: Arc<Grant>,
    decided: u64,
    ended: Arc<AtomicBool>,
) -> Result<(), String> {
    let publish = move || {
        let table = context.leases.lock(Deadline::after(LOCK))?;
        if ended.load(Ordering::Relaxed) {
            return Ok(());
        }
        table.publish_grant(&caller.network, caller.ipv6, &grant, decided)?;
        table.forget_rested(&caller.network)
    };
    blocking(move || publish().map_err(|error: LeaseError| with_causes(&error))).await
}
