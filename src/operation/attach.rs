//! Gives a sandbox what it asks for: observe, choose, plan, record, do, record.

use std::collections::BTreeSet;

use super::{
    AttachReport, Context, ExitCode, How, OperationError, Preview, chronicle,
    conflict::Conflicts,
    existing::{Existing, existing},
    granted::are_granted_still,
    join::{join, refuse_conflict},
    journal,
    prepare::{Prepared, prepare},
    recover, services,
    show::show,
    step_kind::times,
};
use crate::{
    execute::{self, Outcome},
    inventory::RouteFamilies,
    kernel::Kernel,
    lease::{Claim, Lease, LeaseError, LeaseState, Reservation},
    plan::step::Step,
    request::{AttachmentIntent, SandboxEvent, resolve},
    types::{Deadline, MacAddress, NetnsIdentity},
};

/// Attaches what `event` asks for, or finds it attached.
pub fn attach(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    deadline: Deadline,
) -> Result<AttachReport, OperationError> {
    if event.networks.is_empty() {
        return Ok(AttachReport::nothing(&event.id));
    }
    let began = journal::begin();
    let attached = attach_or_join(kernel, context, event, deadline)
        .map_err(|error| error.worded(event.wording.as_ref()));
    chronicle::asked(context, event, began.took(), &attached);
    attached
}

fn attach_or_join(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    deadline: Deadline,
) -> Result<AttachReport, OperationError> {
    let mut conflicts = Conflicts::default();
    loop {
        let netns = kernel.open_sandbox(&event.netns)?;
        match existing(kernel, context, event, &netns, deadline)? {
            Existing::Lease(reservation) => {
                return join(kernel, context, event, *reservation, deadline);
            }
            // The kernel's idea of the sandbox may have become that of the lease that was cleared away.
            Existing::Cleared => continue,
            Existing::None => {}
        }
        let sandbox = Sandbox { netns: &netns, first: None };
        if let Some(report) = give(kernel, context, event, &sandbox, &mut conflicts, deadline)? {
            return Ok(report);
        }
    }
}

/// What something is given to.
pub(super) struct Sandbox<'a> {
    /// Its namespace.
    pub(super) netns: &'a NetnsIdentity,
    /// The lease of what it began with, where this is added to it.
    pub(super) first: Option<&'a Lease>,
}

/// Gives what `event` asks for; `None` when it is to be tried again, because somebody was faster or another address will do.
pub(super) fn give(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    sandbox: &Sandbox,
    conflicts: &mut Conflicts,
    deadline: Deadline,
) -> Result<Option<AttachReport>, OperationError> {
    let intent = resolve(&context.config, event)?;
    let reserved = reserve(kernel, context, event, &intent, sandbox, conflicts, deadline)?;
    // What another did who was faster is looked at in the next round.
    let Some(reservation) = reserved else { return Ok(None) };
    journal::without_effect(event);
    let done = perform(kernel, context, reservation, deadline);
    conflicts.unless_others_will_do(done, &intent).transpose()
}

/// What [`attach`] would do. Nothing is changed and nothing recorded.
pub fn preview_attach(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    deadline: Deadline,
) -> Result<Preview, OperationError> {
    let preview = preview(kernel, context, event, deadline);
    preview.map_err(|error| error.worded(event.wording.as_ref()))
}

fn preview(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    deadline: Deadline,
) -> Result<Preview, OperationError> {
    let netns = kernel.open_sandbox(&event.netns)?;
    loop {
        if let Some(lease) = context.leases.find(&Claim::Netns(netns.cookie))? {
            refuse_conflict(&lease, event)?;
            return Ok(Preview { steps: Vec::new() });
        }
        let intent = resolve(&context.config, event)?;
        match prepare(kernel, context, event, &intent, &BTreeSet::new())? {
            Prepared::Lease { lease, .. } => return Ok(Preview::of_plan(&lease.plan)),
            Prepared::Busy(device) => context.leases.wait_for(device, deadline)?,
        }
    }
}

/// Looks, chooses and plans, and records that; `None` when somebody was faster. The table lock is held for recording alone: what
/// was looked at is kept from others by locks of its own, and what was chosen unlooked at is refused where others have it by then.
fn reserve(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    intent: &AttachmentIntent,
    sandbox: &Sandbox,
    conflicts: &mut Conflicts,
    deadline: Deadline,
) -> Result<Option<Reservation>, OperationError> {
    let leases = &context.leases;
    // What another vfhook just took out of the sandbox, or puts into it, must not be seen there.
    let _looking = leases.look_into(sandbox.netns.cookie, deadline)?;
    let netns = sandbox.first.is_none().then_some(Claim::Netns(sandbox.netns.cookie));
    let theirs = [Claim::Id(event.id.clone())].into_iter().chain(netns);
    if theirs.into_iter().any(|claim| leases.is_taken(&claim)) {
        return Ok(None);
    }
    let prepared = match prepare(kernel, context, event, intent, &conflicts.avoided) {
        Err(error)
            if error.exit_code() == ExitCode::NothingFree && returning(context, deadline)? =>
        {
            return Ok(None);
        }
        prepared => prepared.map_err(|error| conflicts.explain(error))?,
    };
    let (mut lease, looking) = match prepared {
        Prepared::Lease { lease, looking } => (lease, looking),
        Prepared::Busy(device) => {
            leases.wait_for(device, deadline)?;
            return Ok(None);
        }
    };
    if let Some(first) = sandbox.first {
        lease.added_to = Some(first.id.clone());
        (lease.pod, lease.namespace) = (first.pod.clone(), first.namespace.clone());
    }
    let table = leases.lock(deadline)?;
    if !are_granted_still(context, &lease)? {
        return Ok(None);
    }
    let reserved = match table.reserve(*lease) {
        Err(LeaseError::Taken { .. }) if !deadline.passed() => None,
        reserved => Some(reserved?),
    };
    drop(table);
    // Until here nobody else may choose what was chosen.
    drop(looking);
    Ok(reserved)
}

/// Waits for somebody who takes a lease back at this moment: what it has is free after that. `false` when nobody does, or not in time.
fn returning(context: &Context, deadline: Deadline) -> Result<bool, OperationError> {
    let leases = &context.leases;
    for lease in leases.each()?.flatten() {
        if lease.state == LeaseState::Releasing && leases.is_worked_on(&lease)? {
            return match leases.reserve_existing(&Claim::Id(lease.id), deadline) {
                Err(LeaseError::Busy { .. }) => Ok(false),
                waited => Ok(waited.map(|_| true)?),
            };
        }
    }
    Ok(false)
}

/// Does what is recorded, and records what came of it.
fn perform(
    kernel: &mut impl Kernel,
    context: &Context,
    mut reservation: Reservation,
    deadline: Deadline,
) -> Result<AttachReport, OperationError> {
    let began = journal::begin();
    match execute::run(&reservation.lease.plan, kernel, deadline) {
        Outcome::Applied { took } => {
            forget_refused_macs(kernel, &mut reservation.lease);
            // Before it counts as attached: what is attached, starts containers.
            if let Err((why, error)) = complete(kernel, context, &reservation.lease, deadline) {
                tracing::warn!(%error, "{why}: taken back");
                recover::release(kernel, context, reservation, why, deadline)?;
                return Err(error);
            }
            reservation.lease.state = LeaseState::Attached;
            context.leases.update(&reservation.lease)?;
            journal::attached(&reservation.lease, &began);
            let lease = &reservation.lease;
            let steps = lease.plan.steps().iter().map(|planned| &planned.step);
            let mut report = AttachReport::of(lease, How::Attached, kernel.messages());
            report.times = times(steps, &took);
            Ok(report.with_nodes(kernel))
        }
        Outcome::Failed { failure, undone } => {
            recover::settle(kernel, context, reservation, undone, "the attachment failed")?;
            Err(OperationError::RolledBack { verb: "the attachment", source: failure })
        }
    }
}

/// What a sandbox needs beside its own steps, or why it does not have it.
fn complete(
    kernel: &mut impl Kernel,
    context: &Context,
    lease: &Lease,
    deadline: Deadline,
) -> Result<(), (&'static str, OperationError)> {
    services::publish(kernel, context, &lease.plan, deadline)
        .map_err(|error| ("its services could not be published", error))?;
    show(context, lease).map_err(|error| ("its containers could not be shown what it has", error))
}

/// A MAC address that a driver may refuse is recorded only if it is there.
fn forget_refused_macs(kernel: &mut impl Kernel, lease: &mut Lease) {
    let wished = lease.plan.steps().iter().filter_map(|planned| match &planned.step {
        Step::ConfigureVf(step) if step.forgiving => step.interface_mac,
        _ => None,
    });
    let wished: BTreeSet<MacAddress> = wished.collect();
    if wished.is_empty() {
        return;
    }
    let inside =
        kernel.observe_sandbox(RouteFamilies::NONE).map(|seen| seen.macs).unwrap_or_default();
    for had in &mut lease.networks {
        had.mac = had.mac.filter(|mac| inside.contains(mac) || !wished.contains(mac));
    }
}
