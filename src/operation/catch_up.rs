//! Sandboxes that a runtime lists and that should have been attached before. One whose workload does not run yet is attached; of
//! the others somebody is told, since nothing is changed under a workload that runs.

use std::time::Duration;

use super::{Context, OperationError, attach, chronicle, journal};
use crate::{
    kernel::Kernel,
    lease::{Claim, LeaseState, Missed},
    request::SandboxEvent,
    types::{Deadline, NetnsIdentity, SandboxId, with_causes},
};

/// How long writing down waits for others who record something, even past the deadline of what was tried.
const RECORDING: Duration = Duration::from_secs(10);

/// A sandbox that asks for networks, as its runtime tells of it.
#[derive(Debug)]
pub struct Listed {
    /// What it asks for.
    pub event: SandboxEvent,
    /// Whether a workload runs in it.
    pub runs: bool,
}

/// Attaches those that can still be, and writes down those that cannot in place of all that were written down before. `is_there` tells
/// whether the runtime has a sandbox still: one that it stopped may have a namespace for some time yet.
pub fn catch_up(
    kernel: &mut impl Kernel,
    context: &Context,
    listed: &[Listed],
    is_there: impl Fn(&SandboxId) -> bool,
    deadline: Deadline,
) -> Result<(), OperationError> {
    let mut missed = Vec::new();
    for Listed { event, runs } in listed.iter().filter(|listed| is_there(&listed.event.id)) {
        // A runtime also lists sandboxes that have stopped.
        let Ok(netns) = kernel.open_sandbox(&event.netns) else { continue };
        let lease = context.leases.find(&Claim::Netns(netns.cookie));
        if matches!(&lease, Ok(Some(lease)) if lease.state == LeaseState::Attached) {
            continue;
        }
        let done = if *runs {
            Err("its containers were started without it; delete the pod to have it made anew"
                .to_owned())
        } else {
            attach(kernel, context, event, deadline).map_err(|error| with_causes(&error))
        };
        if let Err(why) = done {
            let one = Missed {
                id: event.id.clone(),
                pod: event.pod.clone(),
                namespace: event.namespace.clone(),
                netns,
                why,
            };
            journal::missed(&one);
            chronicle::missed(context, &one);
            missed.push(one);
        }
    }
    let recording = Deadline::after(RECORDING);
    write(context, &missed, recording)?;
    // One that ended before it was written down was forgotten too early; whoever ends from here on is forgotten then.
    for one in &missed {
        if !is_there(&one.id) || !kernel.reopen_sandbox(&one.netns).unwrap_or(true) {
            forget_missed(context, &one.id, recording)?;
        }
    }
    Ok(())
}

fn write(context: &Context, missed: &[Missed], deadline: Deadline) -> Result<(), OperationError> {
    let _recording = context.leases.lock(deadline)?;
    Ok(context.leases.write_missed(missed)?)
}

/// The sandbox is no more, or has what it asks for.
pub fn forget_missed(
    context: &Context,
    id: &SandboxId,
    deadline: Deadline,
) -> Result<(), OperationError> {
    let is_it = |missed: &Missed| missed.id == *id;
    if !context.leases.missed()?.iter().any(is_it) {
        return Ok(());
    }
    let _recording = context.leases.lock(deadline)?;
    let mut missed = context.leases.missed()?;
    missed.retain(|missed| !is_it(missed));
    Ok(context.leases.write_missed(&missed)?)
}

/// Forgets those whose end nobody told: a runtime says nothing of sandboxes that are older than itself.
pub(super) fn forget_ended(
    kernel: &mut impl Kernel,
    context: &Context,
    deadline: Deadline,
) -> Result<(), OperationError> {
    let missed = context.leases.missed()?;
    if missed.is_empty() {
        return Ok(());
    }
    let still = still_missed(kernel, context)?;
    for one in missed.iter().filter(|one| !still.contains(one)) {
        forget_missed(context, &one.id, deadline)?;
    }
    Ok(())
}

/// Those that are still there and still without.
pub(super) fn still_missed(
    kernel: &mut impl Kernel,
    context: &Context,
) -> Result<Vec<Missed>, OperationError> {
    let mut missed = context.leases.missed()?;
    missed.retain(|missed| {
        let NetnsIdentity { cookie, .. } = missed.netns;
        !context.leases.is_taken(&Claim::Netns(cookie))
            && kernel.reopen_sandbox(&missed.netns).unwrap_or(true)
    });
    Ok(missed)
}
