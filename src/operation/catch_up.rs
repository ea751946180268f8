//! Sandboxes that a runtime lists and that should have been attached before. One whose workload does not run yet is attached; of
//! the others somebody is told, since nothing is changed under a workload that runs.

use super::{Context, OperationError, attach, journal};
use crate::{
    kernel::Kernel,
    lease::{Claim, LeaseState, Missed},
    request::SandboxEvent,
    types::{Deadline, NetnsIdentity, SandboxId, with_causes},
};

/// A sandbox that asks for networks, as its runtime tells of it.
#[derive(Debug)]
pub struct Listed {
    /// What it asks for.
    pub event: SandboxEvent,
    /// Whether a workload runs in it.
    pub runs: bool,
}

/// Attaches those that can still be, and writes down those that cannot in place of all that were written down before.
pub fn catch_up(
    kernel: &mut impl Kernel,
    context: &Context,
    listed: &[Listed],
    deadline: Deadline,
) -> Result<(), OperationError> {
    let mut missed = Vec::new();
    for Listed { event, runs } in listed {
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
            missed.push(one);
        }
    }
    Ok(context.leases.write_missed(&missed)?)
}

/// The sandbox is no more, or has what it asks for.
pub fn forget_missed(context: &Context, id: &SandboxId) -> Result<(), OperationError> {
    let mut missed = context.leases.missed()?;
    let before = missed.len();
    missed.retain(|missed| missed.id != *id);
    if missed.len() < before {
        context.leases.write_missed(&missed)?;
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
