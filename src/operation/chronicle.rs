//! What becomes of sandboxes, for the history: what was asked, by which way, what came of it and how long that took. Decides nothing; what
//! cannot be told is a warning and fails nothing.

use std::time::Duration;

use super::{AttachReport, Context, How, OperationError, step_kind::Times};
use crate::{
    history::{Entry, Had, Reason, What},
    kernel::KernelError,
    lease::{Attached, Lease, LeaseStore, Missed},
    request::{NetworkRequest, SandboxEvent},
    types::{PciAddress, SandboxId, with_causes},
};

/// A sandbox asked for something, and this came of it.
pub(super) fn asked(
    context: &Context,
    event: &SandboxEvent,
    took: Duration,
    came: &Result<AttachReport, OperationError>,
) {
    let networks = match came {
        // Told by who let it join, where it is new.
        Ok(AttachReport { how: How::Already | How::NothingAsked, .. }) => return,
        Ok(report) => report.networks.iter().map(had).collect(),
        Err(_) => event.networks.iter().map(wished).collect(),
    };
    let entry = match came {
        Ok(report) => {
            Entry { steps: report.times.clone(), ..begin(&context.leases, What::Attached) }
        }
        Err(error) => because(&context.leases, error),
    };
    let entry = Entry { networks, ..of_event(entry, event) };
    tell(&context.leases, entry.took(took));
}

/// A sandbox asked and nobody looked, since the configuration cannot be used.
pub fn refused_unread(leases: &LeaseStore, event: &SandboxEvent, why: &str) {
    let networks = event.networks.iter().map(wished).collect();
    let entry = of_event(begin(leases, What::Refused), event).because(why);
    tell(leases, Entry { networks, reason: Some(Reason::Configuration), ..entry });
}

/// A container was kept from starting in a sandbox that has not what it asks for.
pub(super) fn unverified(
    context: &Context,
    id: &SandboxId,
    asked: &[NetworkRequest],
    error: &OperationError,
) {
    let networks = asked.iter().map(wished).collect();
    let entry = because(&context.leases, error);
    tell(&context.leases, Entry { id: Some(id.clone()), networks, ..entry });
}

/// One more container shares what a lease gave, or one less.
pub(super) fn shared(context: &Context, lease: &Lease, what: What, container: &SandboxId) {
    let entry = of_lease(begin(&context.leases, what), lease);
    tell(&context.leases, entry.because(&format!("container {container}")));
}

/// What a lease gave was taken back, or not all of it.
pub(super) fn taken_back(
    context: &Context,
    lease: &Lease,
    why: &str,
    (took, steps): (Duration, Times),
    came: &Result<(), OperationError>,
) {
    let entry = match came {
        Ok(()) if why.is_empty() => begin(&context.leases, What::TakenBack),
        Ok(()) => begin(&context.leases, What::TakenBack).because(why),
        Err(error) => Entry { what: What::Stuck, ..because(&context.leases, error) },
    };
    let entry = Entry { steps, ..of_lease(entry, lease) };
    tell(&context.leases, entry.took(took));
}

/// What a lease gave did not hold, and was given again or could not be.
pub(super) fn drifted(context: &Context, lease: &Lease, what: &str, mended: bool) {
    let kind = if mended { What::Mended } else { What::Unmended };
    tell(&context.leases, of_lease(begin(&context.leases, kind), lease).because(what));
}

/// A device that no lease holds was not as it should be, and is again.
pub(super) fn freed(context: &Context, device: PciAddress, what: &str) {
    let entry = begin(&context.leases, What::Mended).because(what);
    tell(&context.leases, Entry { device: Some(device), ..entry });
}

/// A sandbox runs without what it asks for.
pub(super) fn missed(context: &Context, missed: &Missed) {
    let entry = Entry {
        id: Some(missed.id.clone()),
        pod: missed.pod.clone(),
        namespace: missed.namespace.clone(),
        ..begin(&context.leases, What::Missed)
    };
    tell(&context.leases, entry.because(&missed.why));
}

fn begin(leases: &LeaseStore, what: What) -> Entry {
    Entry::now(what, leases.history().by())
}

/// Why something was not done.
fn because(leases: &LeaseStore, error: &OperationError) -> Entry {
    let reason = reason(error);
    let what = match reason {
        Reason::Step => What::Failed,
        Reason::Cleanup => What::Stuck,
        _ => What::Refused,
    };
    Entry { reason: Some(reason), ..begin(leases, what) }.because(&with_causes(error))
}

fn of_event(entry: Entry, event: &SandboxEvent) -> Entry {
    let (pod, namespace) = (event.pod.clone(), event.namespace.clone());
    Entry { id: Some(event.id.clone()), pod, namespace, ..entry }
}

/// Of whom a lease is, and what it gave.
pub(super) fn of_lease(entry: Entry, lease: &Lease) -> Entry {
    Entry {
        id: Some(lease.id.clone()),
        pod: lease.pod.clone(),
        namespace: lease.namespace.clone(),
        networks: lease.interfaces().map(had).collect(),
        ..entry
    }
}

/// What was given.
fn had(had: &Attached) -> Had {
    Had {
        network: had.network.clone(),
        pool: Some(had.pool.clone()),
        interface: Some(had.interface.clone()),
        device: had.device,
        mac: had.mac,
        addresses: had.addresses.clone(),
    }
}

/// What was asked for.
fn wished(asked: &NetworkRequest) -> Had {
    Had {
        network: asked.network.clone(),
        pool: None,
        interface: asked.interface.clone(),
        device: None,
        mac: asked.mac,
        addresses: asked.addresses.clone(),
    }
}

fn tell(leases: &LeaseStore, entry: Entry) {
    let history = leases.history();
    if let Err(error) = history.tell(entry) {
        let directory = history.directory().display();
        tracing::warn!(%error, %directory, "the history lacks what was just done");
    }
}

fn reason(error: &OperationError) -> Reason {
    match error {
        OperationError::Worded { source, .. } => reason(source),
        OperationError::Request(_)
        | OperationError::NothingToAddTo { .. }
        | OperationError::Name(_)
        | OperationError::BeganWith { .. }
        | OperationError::WhichAddition { .. }
        | OperationError::Kernel(KernelError::NotASandbox { .. }) => Reason::Request,
        OperationError::Plan(_) | OperationError::NoRdma { .. } => Reason::Unfit,
        OperationError::NoFreeDevice { .. } => Reason::NoDevice,
        OperationError::NoFreeAddress { .. } | OperationError::Grant(_) => Reason::NoAddress,
        OperationError::AddressTaken { .. } | OperationError::MacTaken { .. } => Reason::Taken,
        OperationError::Conflict { .. } | OperationError::IdInUse { .. } => Reason::Conflict,
        OperationError::Missing { .. } => Reason::Missing,
        OperationError::Kernel(_) => Reason::Kernel,
        OperationError::Lease(_) => Reason::State,
        OperationError::RolledBack { .. } => Reason::Step,
        OperationError::NeedsCleanup { .. } => Reason::Cleanup,
        OperationError::Flawed(_) => Reason::Defect,
        OperationError::NothingToProvision | OperationError::Provision(_) => Reason::Configuration,
    }
}
