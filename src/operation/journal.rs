//! What became of sandboxes, for the log: who was given what, how long it took, and who has not what it asks for. Decides nothing.

use std::time::{Duration, Instant};

use tracing::field::{DisplayValue, display};

use crate::{
    lease::{Attached, Lease, Missed},
    plan::made_as,
    request::SandboxEvent,
    types::quote,
};

/// When something began.
pub(super) struct Begun(Instant);

impl Begun {
    /// How long ago.
    pub(super) fn took(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Something begins.
pub(super) fn begin() -> Begun {
    Begun(Instant::now())
}

/// Everything that the lease says was given.
pub(super) fn attached(lease: &Lease, began: &Begun) {
    tracing::info!(
        sandbox = lease.id.short(),
        pod = quoted(lease.pod.as_deref()),
        namespace = quoted(lease.namespace.as_deref()),
        networks = %networks(lease),
        took = ?began.took(),
        "attached"
    );
}

/// What the annotation of another tool says to no effect.
pub(super) fn without_effect(event: &SandboxEvent) {
    for remark in event.wording.iter().flat_map(|wording| &wording.without_effect) {
        tracing::warn!(
            sandbox = event.id.short(),
            pod = quoted(event.pod.as_deref()),
            namespace = quoted(event.namespace.as_deref()),
            "{remark}"
        );
    }
}

/// Everything that the lease says was taken back.
pub(super) fn taken_back(lease: &Lease, began: &Begun) {
    tracing::info!(
        sandbox = lease.id.short(),
        pod = quoted(lease.pod.as_deref()),
        namespace = quoted(lease.namespace.as_deref()),
        networks = %networks(lease),
        took = ?began.took(),
        "taken back"
    );
}

/// The sandbox runs without what it asks for.
pub(super) fn missed(missed: &Missed) {
    tracing::warn!(
        sandbox = missed.id.short(),
        pod = quoted(missed.pod.as_deref()),
        namespace = quoted(missed.namespace.as_deref()),
        why = missed.why,
        "runs without what it asks for"
    );
}

/// What a pod calls itself is a stranger's.
fn quoted(name: Option<&str>) -> Option<DisplayValue<String>> {
    name.map(|name| display(quote(name)))
}

fn networks(lease: &Lease) -> String {
    let one = |had: &Attached| {
        let made = || made_as(&lease.plan, &had.interface).to_owned();
        let device = had.device.map_or_else(made, |device| device.to_string());
        let addresses = had.addresses.iter().map(|address| format!(" {address}"));
        format!("{}@{} {device}{}", had.network, had.interface, addresses.collect::<String>())
    };
    lease.networks.iter().map(one).collect::<Vec<_>>().join(", ")
}
