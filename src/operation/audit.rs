//! Looks at each VF of the pools, and at each that a lease holds, and lets `plan` judge it; carries out the step that a judgement has.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, Finding, Mended, OperationError};
use crate::{
    config::PoolKind,
    execute,
    inventory::{Candidate, Device, PhysicalFunction, RouteFamilies, SandboxFacts, Unusable},
    kernel::Kernel,
    lease::{Attached, Claim, Lease, LeaseState},
    plan::{self, Held, Remark, Seen, step::Step},
    types::{Deadline, DeviceSelector, MacAddress, PciAddress, VfAttributes},
};

/// What is wrong with VFs, and what came of it. Costs a few netlink messages for every VF.
pub fn audit(
    kernel: &mut impl Kernel,
    context: &Context,
    dry_run: bool,
    deadline: Deadline,
) -> Result<Vec<Finding>, OperationError> {
    let (leases, _) = context.leases.all()?;
    let holders = by_device(&leases);
    // That one is missing is told by `status` and `doctor`.
    let functions = kernel.physical_functions(&DeviceSelector::default()).found;
    let members = members(kernel, context);
    let mut findings = destroyed(&functions, &holders);
    for function in functions {
        let mut unheld = BTreeMap::new();
        for vf in function.vfs.iter().filter(|vf| !holders.contains_key(&vf.address)) {
            unheld.insert(vf.address, kernel.observe_device(vf, false)?);
        }
        let macs = macs(&function, &holders, &unheld);
        let wanted =
            |vf: &&Candidate| holders.contains_key(&vf.address) || members.contains(&vf.address);
        for candidate in function.vfs.iter().filter(wanted) {
            // Held while it is judged and mended: a lease that ends gives its device to another.
            let reservation = match holders.get(&candidate.address) {
                Some((lease, _)) => match context.leases.reserve_idle(lease)? {
                    Some(reservation) => Some(reservation),
                    None => continue,
                },
                None => None,
            };
            let lease = reservation.as_ref().map(|reservation| &reservation.lease);
            let home = match unheld.remove(&candidate.address) {
                Some(seen) => seen,
                None => kernel.observe_device(candidate, false)?,
            };
            let remark = judge(kernel, candidate, &home, lease, &macs)?;
            // Taken since the leases were listed: somebody's work.
            if lease.is_none() && context.leases.is_taken(&Claim::Device(candidate.address)) {
                continue;
            }
            let Some(remark) = remark else { continue };
            findings.push(act(kernel, candidate.address, lease, remark, dry_run, deadline));
        }
    }
    Ok(findings)
}

/// Who has which device, and as what.
pub(super) type Holders<'a> = BTreeMap<PciAddress, (&'a Lease, &'a Attached)>;

/// The devices that leases hold.
pub(super) fn by_device(leases: &[Lease]) -> Holders<'_> {
    let pairs = leases.iter().flat_map(|lease| lease.networks.iter().map(move |had| (lease, had)));
    pairs.filter_map(|(lease, had)| Some((had.device?, (lease, had)))).collect()
}

/// The VFs that pools are made of.
fn members(kernel: &mut impl Kernel, context: &Context) -> BTreeSet<PciAddress> {
    let pools = context.config.pools.values().filter(|pool| pool.kind == PoolKind::Sriov);
    let of_pool = pools.flat_map(|pool| {
        let functions = kernel.physical_functions(&pool.selector).found;
        let vfs = functions.into_iter().flat_map(|function| function.vfs);
        vfs.filter(|vf| pool.selector.wants(vf.index, vf.address)).map(|vf| vf.address)
    });
    of_pool.collect()
}

/// VFs that leases hold and no card has any more.
fn destroyed(functions: &[PhysicalFunction], holders: &Holders) -> Vec<Finding> {
    let exists = |device: &PciAddress| {
        functions.iter().any(|function| function.vfs.iter().any(|vf| vf.address == *device))
    };
    let gone = holders.iter().filter(|(device, _)| !exists(device));
    gone.map(|(device, (lease, _))| Finding {
        device: Some(*device),
        what: "missing: its card no longer has it".to_owned(),
        outcome: Mended::LeftAlone,
        ..Finding::of(lease)
    })
    .collect()
}

/// The VFs of a card by their interface's MAC address, where one is known: that in the host, or that of the lease.
fn macs(
    function: &PhysicalFunction,
    holders: &Holders,
    unheld: &BTreeMap<PciAddress, Result<Device, Unusable>>,
) -> Vec<(MacAddress, PciAddress)> {
    let of = |vf: &Candidate| {
        let mac = match holders.get(&vf.address) {
            Some((_, had)) => had.mac?,
            None => unheld.get(&vf.address)?.as_ref().ok()?.link.mac?,
        };
        (mac.bytes() != [0; 6]).then_some((mac, vf.address))
    };
    function.vfs.iter().filter_map(of).collect()
}

fn judge(
    kernel: &mut impl Kernel,
    candidate: &Candidate,
    home: &Result<Device, Unusable>,
    lease: Option<&Lease>,
    macs: &[(MacAddress, PciAddress)],
) -> Result<Option<Remark>, OperationError> {
    // What was left half attached or half taken back may be anywhere; that is said of the lease.
    if lease.is_some_and(|lease| lease.state != LeaseState::Attached) {
        return Ok(None);
    }
    let (inside, card) = match lease {
        Some(lease) => (inside(kernel, lease)?, card(kernel, candidate, lease)?),
        None => (None, None),
    };
    let held = lease.and_then(|lease| {
        let had = lease.networks.iter().find(|had| had.device == Some(candidate.address))?;
        Some(Held {
            plan: &lease.plan,
            interface: &had.interface,
            mac: had.mac,
            inside: inside.as_ref(),
            card: card.as_ref(),
        })
    });
    let own = macs.iter().find(|(_, address)| *address == candidate.address);
    let twin = own.and_then(|(mac, _)| {
        macs.iter().find(|(other, address)| other == mac && *address != candidate.address)
    });
    Ok(plan::audit(&Seen { candidate, home, held, twin: twin.copied() }))
}

fn inside(kernel: &mut impl Kernel, lease: &Lease) -> Result<Option<SandboxFacts>, OperationError> {
    if !kernel.reopen_sandbox(&lease.netns)? {
        return Ok(None);
    }
    Ok(Some(kernel.observe_sandbox(RouteFamilies::NONE)?))
}

/// What the card enforces; asked only where the lease has a say in it.
fn card(
    kernel: &mut impl Kernel,
    candidate: &Candidate,
    lease: &Lease,
) -> Result<Option<VfAttributes>, OperationError> {
    let is_configured = lease.plan.steps.iter().any(|planned| {
        matches!(&planned.step, Step::ConfigureVf(step) if step.device.address == candidate.address)
    });
    Ok(if is_configured { Some(kernel.observe_attributes(candidate)?) } else { None })
}

fn act(
    kernel: &mut impl Kernel,
    device: PciAddress,
    lease: Option<&Lease>,
    remark: Remark,
    dry_run: bool,
    deadline: Deadline,
) -> Finding {
    let is_held = lease.is_some();
    let outcome = match &remark.step {
        None => Mended::LeftAlone,
        Some(_) if dry_run && is_held => Mended::WouldApply,
        Some(_) if dry_run => Mended::WouldRelease,
        Some(step) => {
            let done = execute::undo(std::slice::from_ref(step), kernel, deadline);
            if !done.is_clean() {
                Mended::Failed(done.reasons().join("; "))
            } else if is_held {
                Mended::Applied
            } else {
                Mended::Released
            }
        }
    };
    let found = lease.map_or_else(Finding::default, Finding::of);
    Finding { device: Some(device), what: remark.what, outcome, ..found }
}
