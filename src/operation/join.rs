//! One more container of a sandbox that has a lease, or the same one asking again. The lease is asked and not the configuration:
//! what was given stays given when its network is renamed, closed or given another interface. Gives nothing new.

use super::{
    AttachReport, Context, How, OperationError, chronicle,
    existing::{Existing, existing},
    hold, services,
    verify::gives,
};
use crate::{
    history::What,
    kernel::Kernel,
    lease::{Attached, Lease, Reservation},
    request::{NetworkRequest, RequestError, SandboxEvent},
    types::{Deadline, Origin},
};

/// What the sandbox of `event` has already; `None` where nothing was given to it. Needs no configuration.
pub fn attached_already(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    deadline: Deadline,
) -> Result<Option<AttachReport>, OperationError> {
    let netns = kernel.open_sandbox(&event.netns)?;
    match existing(kernel, context, event, &netns, deadline)? {
        Existing::Lease(had) => join(kernel, context, event, *had, deadline).map(Some),
        Existing::Cleared | Existing::None => Ok(None),
    }
}

/// Lets the container of `event` share what the lease gave, if it asks for just that.
pub(super) fn join(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    mut reservation: Reservation,
    deadline: Deadline,
) -> Result<AttachReport, OperationError> {
    refuse_conflict(&reservation.lease, event)?;
    hold::restore(kernel, &reservation.lease, deadline)?;
    services::publish(kernel, context, &reservation.lease.plan, deadline)?;
    follow_source(context, &mut reservation, event)?;
    if !reservation.lease.holders.contains(&event.id) {
        context.leases.lock(deadline)?.join(&mut reservation.lease, &event.id)?;
        chronicle::shared(context, &reservation.lease, What::Joined, &event.id);
    }
    let report = AttachReport::of(&reservation.lease, How::Already, kernel.messages());
    Ok(report.with_nodes(kernel))
}

/// What was attached before its container was made is found by the container's process from then on.
fn follow_source(
    context: &Context,
    reservation: &mut Reservation,
    event: &SandboxEvent,
) -> Result<(), OperationError> {
    let (lease, source) = (&mut reservation.lease, &event.netns);
    let is_made = lease.origin == Origin::Runtime && event.origin == Origin::Hook;
    if is_made && lease.id == event.id && lease.netns.source != *source {
        lease.netns.source = source.clone();
        context.leases.update(lease)?;
    }
    Ok(())
}

/// Fails unless the lease gave what `event` asks for, no less and no more.
pub(super) fn refuse_conflict(lease: &Lease, event: &SandboxEvent) -> Result<(), OperationError> {
    let (named, unnamed): (Vec<_>, Vec<_>) =
        event.networks.iter().partition(|asked| asked.interface.is_some());
    let mut left: Vec<&Attached> = lease.networks.iter().collect();
    // Who names an interface has the first choice; any other of that network does for the rest.
    let all_given = named.into_iter().chain(unnamed).all(|asked| {
        let found = left.iter().position(|had| gives(had, asked));
        found.map(|position| left.swap_remove(position)).is_some()
    });
    if !all_given || !left.is_empty() {
        return Err(OperationError::Conflict {
            id: lease.id.clone(),
            has: lease.networks.iter().map(had).collect::<Vec<_>>().join(", "),
            asks: event.networks.iter().map(asked).collect::<Vec<_>>().join(", "),
        });
    }
    let Some(interface) = &event.primary else { return Ok(()) };
    let is_primary = |had: &Attached| had.interface == *interface && !had.addresses.is_empty();
    if lease.networks.iter().any(is_primary) {
        return Ok(());
    }
    let asked = lease.networks.iter().map(had).collect::<Vec<_>>().join(", ");
    Err(RequestError::NoPrimary { interface: interface.clone(), asked }.into())
}

fn had(had: &Attached) -> String {
    let choices =
        had.addresses.iter().map(ToString::to_string).chain(had.mac.map(|mac| mac.to_string()));
    with(format!("{}@{}", had.network, had.interface), choices)
}

fn asked(asked: &NetworkRequest) -> String {
    let interface = asked.interface.as_ref().map_or_else(String::new, |name| format!("@{name}"));
    let choices =
        asked.addresses.iter().map(ToString::to_string).chain(asked.mac.map(|mac| mac.to_string()));
    with(format!("{}{interface}", asked.network), choices)
}

fn with(name: String, choices: impl Iterator<Item = String>) -> String {
    let choices: Vec<String> = choices.collect();
    if choices.is_empty() { name } else { format!("{name} ({})", choices.join(" ")) }
}
