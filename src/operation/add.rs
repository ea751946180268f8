//! Gives a sandbox that runs one network more. That is a lease of its own beside the one that the sandbox began with: it is chosen,
//! recorded, done, looked after and taken back as any other, by itself or with the sandbox. Nothing of the first lease changes, but that
//! it names what was added.

use std::collections::BTreeSet;

use super::{
    AttachReport, Context, How, OperationError, Preview,
    attach::{Sandbox, give},
    chronicle,
    conflict::Conflicts,
    existing::LEFT,
    journal,
    prepare::{Prepared, prepare},
    recover::release,
    verify::gives,
};
use crate::{
    kernel::Kernel,
    lease::{Claim, Lease, LeaseState, Reservation},
    plan::AttachPlanError,
    request::{NetworkRequest, SandboxEvent, resolve},
    types::{Deadline, InterfaceName, NetnsSource, Origin, SandboxId},
};

/// Adds the network of `asked` to the sandbox at `netns`. Asked for again it is there already; a second interface on one network has a
/// name of its own.
pub fn add(
    kernel: &mut impl Kernel,
    context: &Context,
    netns: &NetnsSource,
    asked: &NetworkRequest,
    deadline: Deadline,
) -> Result<AttachReport, OperationError> {
    let began = journal::begin();
    let mut first = first(kernel, context, netns, deadline)?;
    let mut additions = additions(context, &first.lease)?;
    if let Some(had) = additions.iter().find(|had| is_it(had, asked)) {
        return Ok(AttachReport::of(had, How::Already, kernel.messages()).with_nodes(kernel));
    }
    for half in additions.iter().filter(|addition| addition.state != LeaseState::Attached) {
        clear(kernel, context, &first.lease, &half.id, deadline)?;
    }
    additions.retain(|addition| addition.state == LeaseState::Attached);
    let event = event(context, &first.lease, &additions, netns, asked)?;
    // Named before it is there, so that whoever ends the sandbox finds it even if we die in between.
    first.lease.additions.insert(event.id.clone());
    context.leases.update(&first.lease)?;
    let done = attach(kernel, context, &first.lease, &event, deadline);
    if done.is_err() && !context.leases.is_taken(&Claim::Id(event.id.clone())) {
        first.lease.additions.remove(&event.id);
        context.leases.update(&first.lease)?;
    }
    chronicle::asked(context, &event, began.took(), &done);
    done
}

/// What [`add`] would do. Nothing is changed and nothing recorded.
pub fn preview_add(
    kernel: &mut impl Kernel,
    context: &Context,
    netns: &NetnsSource,
    asked: &NetworkRequest,
    deadline: Deadline,
) -> Result<Preview, OperationError> {
    let first = first(kernel, context, netns, deadline)?;
    let mut additions = additions(context, &first.lease)?;
    if additions.iter().any(|had| is_it(had, asked)) {
        return Ok(Preview { steps: Vec::new() });
    }
    additions.retain(|addition| addition.state == LeaseState::Attached);
    let event = event(context, &first.lease, &additions, netns, asked)?;
    loop {
        let intent = resolve(&context.config, &event)?;
        match prepare(kernel, context, &event, &intent, &BTreeSet::new())? {
            Prepared::Lease { lease, .. } => return Ok(Preview::of_plan(&lease.plan)),
            Prepared::Busy(device) => context.leases.wait_for(device, deadline)?,
        }
    }
}

/// The lease of what the sandbox began with, which nobody works on from here on.
fn first(
    kernel: &mut impl Kernel,
    context: &Context,
    netns: &NetnsSource,
    deadline: Deadline,
) -> Result<Reservation, OperationError> {
    let claim = Claim::Netns(kernel.open_sandbox(netns)?.cookie);
    let found = context.leases.reserve_existing(&claim, deadline)?;
    let attached = found.filter(|found| found.lease.state == LeaseState::Attached);
    attached.ok_or_else(|| OperationError::NothingToAddTo { netns: netns.to_string() })
}

fn is_it(addition: &Lease, asked: &NetworkRequest) -> bool {
    let is_given = addition.networks.iter().any(|had| gives(had, asked));
    is_given && addition.state == LeaseState::Attached
}

/// What was added to a sandbox, as far as it is there.
pub(super) fn additions(context: &Context, first: &Lease) -> Result<Vec<Lease>, OperationError> {
    let found = first.additions.iter().map(|id| context.leases.find(&Claim::Id(id.clone())));
    let found = found.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
    Ok(found.into_iter().filter(|lease| lease.added_to.as_ref() == Some(&first.id)).collect())
}

/// What is asked for, by a name of its own: that of the sandbox and of the interface.
fn event(
    context: &Context,
    first: &Lease,
    additions: &[Lease],
    netns: &NetnsSource,
    asked: &NetworkRequest,
) -> Result<SandboxEvent, OperationError> {
    let leases = additions.iter().chain([first]);
    let names = leases.flat_map(|lease| {
        lease.interfaces().map(|had| &had.interface).chain(&lease.service_interface)
    });
    let taken: BTreeSet<&InterfaceName> = names.collect();
    let network = context.config.networks.get(&asked.network);
    let counted = || network?.interface.name(|name| taken.contains(name));
    let interface = asked.interface.clone().or_else(counted);
    // What a program drives has a name as well, and no interface in the sandbox that would be in its way.
    if let Some(name) = interface.as_ref().filter(|name| taken.contains(name)) {
        return Err(AttachPlanError::NameTaken(name.clone()).into());
    }
    // What has no name to give is refused with its reason by who resolves the request.
    let suffix = interface.as_ref().map_or(asked.network.as_str(), InterfaceName::as_str);
    Ok(SandboxEvent {
        id: format!("{}.{suffix}", first.id).parse()?,
        origin: Origin::Command,
        netns: netns.clone(),
        pod: None,
        // Whoever runs this command may give anything to anybody.
        namespace: None,
        networks: vec![NetworkRequest { interface, ..asked.clone() }],
        service_path_off: true,
        outside: None,
        primary: None,
        wording: None,
        more_to_come: false,
    })
}

fn attach(
    kernel: &mut impl Kernel,
    context: &Context,
    first: &Lease,
    event: &SandboxEvent,
    deadline: Deadline,
) -> Result<AttachReport, OperationError> {
    let mut conflicts = Conflicts::default();
    loop {
        clear(kernel, context, first, &event.id, deadline)?;
        let netns = kernel.open_sandbox(&event.netns)?;
        let sandbox = Sandbox { netns: &netns, first: Some(first) };
        if let Some(report) = give(kernel, context, event, &sandbox, &mut conflicts, deadline)? {
            return Ok(report);
        }
    }
}

/// Takes back what a process left half done that died while it added the same.
fn clear(
    kernel: &mut impl Kernel,
    context: &Context,
    first: &Lease,
    id: &SandboxId,
    deadline: Deadline,
) -> Result<(), OperationError> {
    let found = context.leases.reserve_existing(&Claim::Id(id.clone()), deadline)?;
    match found {
        Some(left) if left.lease.added_to.as_ref() == Some(&first.id) => {
            release(kernel, context, left, LEFT, deadline)
        }
        Some(other) => {
            let netns = other.lease.netns.source.to_string();
            Err(OperationError::IdInUse { id: id.clone(), netns })
        }
        None => Ok(()),
    }
}
