//! Makes a running sandbox follow a configuration whose service networks changed. Everything else of a sandbox stays as it was
//! attached.

use ipnet::IpNet;

use super::{Context, OperationError};
use crate::{
    config::ServicePathMode,
    execute::{self, Outcome},
    inventory::RouteFamilies,
    kernel::Kernel,
    lease::{Lease, LeaseState, Reservation},
    plan::{Reroute, Served, differs, reroute},
    types::{Deadline, with_causes},
};

/// What came of it.
pub(super) enum Followed {
    /// It leads to these networks now, or would if it were not only asked.
    Leads(Vec<IpNet>),
    /// It could not be made to, and leads where it led before.
    Failed(String),
}

/// Adds and takes away routes of the lease's sandbox; `None` when there is nothing to do, or the sandbox cannot be found.
pub(super) fn follow(
    kernel: &mut impl Kernel,
    context: &Context,
    reservation: &mut Reservation,
    dry_run: bool,
    deadline: Deadline,
) -> Result<Option<Followed>, OperationError> {
    let lease = &mut reservation.lease;
    let Some(wanted) = wanted(context, lease) else { return Ok(None) };
    let Some(interface) = &lease.service_interface else { return Ok(None) };
    let served = Served { plan: &lease.plan, interface, cidrs: &lease.service_cidrs };
    // Asked of every lease at every look: what costs nothing comes first.
    if !differs(served, wanted) || !kernel.reopen_sandbox(&lease.netns)? {
        return Ok(None);
    }
    let sandbox = kernel.observe_sandbox(RouteFamilies { ipv4: false, ipv6: true })?;
    let reroute = match reroute(served, wanted, &sandbox) {
        Ok(Some(reroute)) => reroute,
        Ok(None) => return Ok(None),
        Err(error) => return Ok(Some(Followed::Failed(error.to_string()))),
    };
    if dry_run {
        return Ok(Some(Followed::Leads(reroute.cidrs)));
    }
    perform(kernel, context, lease, reroute, deadline).map(Some)
}

/// What the configuration has for a service path of the lease's kind. One of another kind is for new sandboxes.
fn wanted<'a>(context: &'a Context, lease: &Lease) -> Option<&'a [IpNet]> {
    let path = &context.config.service_path;
    let is_veth = !lease.service_sources.is_empty();
    let same = if is_veth { path.mode.has_pair() } else { path.mode == ServicePathMode::Existing };
    // What nobody can tell takes nothing from anybody.
    let known = same && !path.untold;
    (lease.state == LeaseState::Attached && known).then_some(&path.cidrs)
}

fn perform(
    kernel: &mut impl Kernel,
    context: &Context,
    lease: &mut Lease,
    reroute: Reroute,
    deadline: Deadline,
) -> Result<Followed, OperationError> {
    let before = std::mem::replace(&mut lease.plan, reroute.during);
    context.leases.update(lease)?;
    if let Outcome::Failed { failure, undone } = execute::run(&reroute.add, kernel, deadline) {
        // What could not be undone stays in the lease, which undoes it in the end.
        if undone.is_whole() {
            lease.plan = before;
            context.leases.update(lease)?;
        }
        return Ok(Followed::Failed(with_causes(&failure)));
    }
    let undone = execute::undo(&reroute.remove, kernel, deadline);
    if !undone.is_whole() {
        return Ok(Followed::Failed(undone.reasons().join("; ")));
    }
    lease.plan = reroute.after;
    lease.service_cidrs.clone_from(&reroute.cidrs);
    context.leases.update(lease)?;
    Ok(Followed::Leads(reroute.cidrs))
}
