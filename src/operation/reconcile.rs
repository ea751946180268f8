//! Compares leases with the kernel and with the configuration: takes back what is half done or whose sandbox is gone, and makes
//! what is alive follow changed service networks. What somebody else works on is left alone.

use super::{
    Context, Finding, Mended, OperationError,
    catch_up::forget_ended,
    chronicle,
    follow::{Followed, follow},
    hold::hold,
    now,
    recover::release,
    services::{self, Look, Views},
};
use crate::{
    inventory::{Candidate, Unusable},
    kernel::Kernel,
    lease::{Lease, LeaseError, LeaseState},
    types::{Deadline, DeviceSelector, InterfaceName, PciAddress, with_causes},
};
use ipnet::IpNet;

/// Whether what failed before is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// At once: somebody asked.
    Now,
    /// Each time after a longer wait: nobody did.
    InTime,
}

/// Looks at every lease. `is_gone` tells of sandboxes that their runtime no longer knows; without a runtime that can
/// be asked it says `false`.
pub fn reconcile(
    kernel: &mut impl Kernel,
    context: &Context,
    is_gone: impl Fn(&Lease) -> bool,
    retry: Retry,
    dry_run: bool,
    deadline: Deadline,
) -> Result<Vec<Finding>, OperationError> {
    if !dry_run {
        context.leases.forget_the_dead(deadline)?;
        forget_ended(kernel, context, deadline)?;
        context.leases.forget_lost_notices(now())?;
    }
    let leases = context.leases.each()?;
    look_ahead(kernel, leases.left());
    let (mut findings, mut views) = (Vec::new(), Views::default());
    for seen in leases {
        match seen {
            Ok(seen) => {
                views.meet(&seen);
                findings.extend(reconcile_one(
                    kernel, context, &seen, &is_gone, retry, dry_run, deadline,
                ));
            }
            Err(error) => findings.push(unread(&error)),
        }
    }
    findings.extend(services::follow(kernel, context, &views, Look::Closely, dry_run, deadline));
    findings.extend(services::forget_orphans(kernel, context, dry_run, deadline)?);
    Ok(findings)
}

/// What the host has is read once where several leases are looked at. Where it cannot be, each look asks for itself.
pub(super) fn look_ahead(kernel: &mut impl Kernel, leases: usize) {
    if leases < 2 {
        return;
    }
    if let Err(error) = kernel.look_ahead() {
        tracing::debug!(%error, "the host is asked for each lease apart");
    }
}

/// Looks at one lease. An error is this one's alone.
pub(super) fn reconcile_one(
    kernel: &mut impl Kernel,
    context: &Context,
    seen: &Lease,
    is_gone: impl Fn(&Lease) -> bool,
    retry: Retry,
    dry_run: bool,
    deadline: Deadline,
) -> Vec<Finding> {
    let found = look(kernel, context, seen, is_gone, retry, dry_run, deadline);
    found.unwrap_or_else(|error| {
        let outcome = Mended::Failed(with_causes(&error));
        vec![Finding { what: "it could not be looked at".to_owned(), outcome, ..Finding::of(seen) }]
    })
}

fn look(
    kernel: &mut impl Kernel,
    context: &Context,
    seen: &Lease,
    is_gone: impl Fn(&Lease) -> bool,
    retry: Retry,
    dry_run: bool,
    deadline: Deadline,
) -> Result<Vec<Finding>, OperationError> {
    // Somebody works on it, or it is gone since it was listed.
    let Some(mut reservation) = context.leases.reserve_idle(seen)? else { return Ok(Vec::new()) };
    if retry == Retry::InTime && !reservation.lease.state.is_due(now()) {
        return Ok(Vec::new());
    }
    let what = match complaint(kernel, &reservation.lease, &is_gone)? {
        Complaint::Of(what) => what,
        Complaint::Unseen => return Ok(Vec::new()),
        Complaint::None => {
            let held = hold(kernel, &reservation.lease, dry_run, deadline)?;
            match &held {
                _ if dry_run => {}
                Some(found) => remember(context, &mut reservation.lease, found)?,
                None => holds_again(context, &mut reservation.lease)?,
            }
            let followed = follow(kernel, context, &mut reservation, dry_run, deadline)?;
            let followed = followed.map(|followed| change(seen, followed, dry_run));
            return Ok(held.into_iter().chain(followed).collect());
        }
    };
    let outcome = if dry_run {
        Mended::WouldRelease
    } else {
        match release(kernel, context, reservation, &what, deadline) {
            Ok(()) => Mended::Released,
            Err(error) => Mended::Failed(error.to_string()),
        }
    };
    Ok(vec![Finding { what, outcome, ..Finding::of(seen) }])
}

/// Writes down what did not hold, for who was not there to see it.
fn remember(context: &Context, lease: &mut Lease, found: &Finding) -> Result<(), OperationError> {
    let (what, mended) = match &found.outcome {
        Mended::Applied => (found.what.clone(), true),
        Mended::Failed(why) => (format!("{}; mending it failed: {why}", found.what), false),
        _ => (found.what.clone(), false),
    };
    if lease.drifts(what.clone(), mended, now()) {
        context.leases.update(lease)?;
        chronicle::drifted(context, lease, &what, mended);
    }
    Ok(())
}

/// What could not be mended holds all the same, whoever saw to that.
fn holds_again(context: &Context, lease: &mut Lease) -> Result<(), OperationError> {
    if let Some(drift) = lease.drift.as_mut().filter(|drift| !drift.mended) {
        drift.mended = true;
        context.leases.update(lease)?;
    }
    Ok(())
}

/// Nobody knows what it gave: that stays as it is, and is never called whole.
pub(super) fn unread(error: &LeaseError) -> Finding {
    let outcome = Mended::Failed("it is left alone".to_owned());
    Finding { what: with_causes(error), outcome, ..Finding::default() }
}

fn change(lease: &Lease, followed: Followed, dry_run: bool) -> Finding {
    let list = |cidrs: Vec<IpNet>| {
        let cidrs: Vec<String> = cidrs.iter().map(ToString::to_string).collect();
        cidrs.join(" ")
    };
    let (what, outcome) = match followed {
        Followed::Leads(cidrs) => (
            format!("its service networks changed: {}", list(cidrs)),
            if dry_run { Mended::WouldApply } else { Mended::Applied },
        ),
        Followed::Failed(why) => ("its service networks changed".to_owned(), Mended::Failed(why)),
    };
    Finding { what, outcome, ..Finding::of(lease) }
}

/// Whether a lease nobody works on should be taken back.
enum Complaint {
    /// For this reason.
    Of(String),
    /// Its sandbox cannot be opened and is not known to be gone.
    Unseen,
    /// Its sandbox is open, to be looked at.
    None,
}

fn complaint(
    kernel: &mut impl Kernel,
    lease: &Lease,
    is_gone: impl Fn(&Lease) -> bool,
) -> Result<Complaint, OperationError> {
    let what = match &lease.state {
        LeaseState::Reserved => "left half attached by a process that died".to_owned(),
        LeaseState::Releasing => "left half taken back by a process that died".to_owned(),
        LeaseState::NeedsCleanup { failures, .. } => {
            format!("not all was taken back: {}", failures.join("; "))
        }
        LeaseState::Attached if is_gone(lease) => "its runtime no longer knows it".to_owned(),
        LeaseState::Attached if kernel.reopen_sandbox(&lease.netns)? => return Ok(Complaint::None),
        // A namespace that is not where it was may live on elsewhere.
        LeaseState::Attached => match death(kernel, lease)? {
            Some(what) => what,
            None => return Ok(Complaint::Unseen),
        },
    };
    Ok(Complaint::Of(what))
}

/// How it is known that the namespace of a lease is no more. The number that the host has for it is the witness, where vfhook
/// itself gave it; for a number that others gave, and that may be another's by now, what the namespace held tells.
fn death(kernel: &mut impl Kernel, lease: &Lease) -> Result<Option<String>, OperationError> {
    if lease.boot.as_ref().is_some_and(|boot| *boot != kernel.boot()) {
        return Ok(Some("its namespace is gone: the machine was started anew".to_owned()));
    }
    match lease.number {
        Some(number) if !kernel.is_numbered(number)? => {
            Ok(Some("its namespace is gone".to_owned()))
        }
        Some(number) if number.is_ours() => Ok(None),
        _ => evidence_of_death(kernel, lease),
    }
}

fn evidence_of_death(
    kernel: &mut impl Kernel,
    lease: &Lease,
) -> Result<Option<String>, OperationError> {
    for device in lease.devices() {
        if is_home(kernel, device)? {
            return Ok(Some(format!("its namespace is gone: {device} is back on the host")));
        }
    }
    let veth = lease.service_sources.first().map(|_| InterfaceName::ours(lease.serial));
    let veth_is_gone = veth.filter(|name| kernel.observe_link(&name.clone().into()).is_err());
    Ok(veth_is_gone.map(|name| format!("its namespace is gone: {name} went with it")))
}

fn is_home(kernel: &mut impl Kernel, device: PciAddress) -> Result<bool, OperationError> {
    let functions = kernel.physical_functions(&DeviceSelector::default()).found;
    let found: Option<Candidate> =
        functions.into_iter().flat_map(|function| function.vfs).find(|vf| vf.address == device);
    let Some(candidate) = found else { return Ok(false) };
    // Whatever else makes it unusable, its interface was seen.
    Ok(!matches!(
        kernel.observe_device(&candidate, false)?,
        Err(Unusable::NoDriver | Unusable::NoInterface { .. })
    ))
}
