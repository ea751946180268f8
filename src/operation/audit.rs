//! Looks at each VF of the pools that no lease holds, and at what VFs of a card have in common, and lets `plan` judge it; carries
//! out the step that a judgement has. What leases hold is `hold`'s.

use std::collections::BTreeMap;

use super::{Context, Finding, Mended, OperationError, chronicle};
use crate::{
    config::PoolKind,
    execute,
    inventory::{Candidate, Device, PhysicalFunction, Unusable},
    kernel::Kernel,
    lease::{Attached, Claim, Lease},
    plan::{self, Plan, Remark, Seen},
    types::{Deadline, DeviceSelector, MacAddress, PciAddress, Reset, with_causes},
};

/// What is wrong with VFs, and what came of it. Costs a few netlink messages for every VF that no lease holds.
pub fn audit(
    kernel: &mut impl Kernel,
    context: &Context,
    dry_run: bool,
    deadline: Deadline,
) -> Result<Vec<Finding>, OperationError> {
    let with_devices = |lease: &Lease| lease.devices().next().is_some();
    // What they did is most of them, and asked by nobody here.
    let without_plan = |lease| Lease { plan: Plan::default(), ..lease };
    let leases = context.leases.each()?.flatten().filter(with_devices).map(without_plan);
    let leases: Vec<Lease> = leases.collect();
    let holders = by_device(&leases);
    // That one is missing is told by `status` and `doctor`.
    let functions = kernel.physical_functions(&DeviceSelector::default()).found;
    let members = members(kernel, context);
    let mut findings = Vec::new();
    for function in functions {
        let mut unheld = BTreeMap::new();
        for vf in function.vfs.iter().filter(|vf| !holders.contains_key(&vf.address)) {
            match kernel.observe_device(vf, false) {
                Ok(seen) => drop(unheld.insert(vf.address, seen)),
                // One that cannot be looked at hides no other.
                Err(error) => findings.push(unseen(vf.address, &error)),
            }
        }
        let macs = macs(&function, &holders, &unheld);
        for candidate in &function.vfs {
            let held = holders.get(&candidate.address).map(|(lease, _)| *lease);
            let home = unheld.get(&candidate.address);
            if held.is_none() && !members.contains_key(&candidate.address) {
                continue;
            }
            let twin = twin(candidate.address, &macs);
            let Member { reset, vfio } =
                members.get(&candidate.address).copied().unwrap_or_default();
            let Some(remark) = plan::audit(&Seen { candidate, home, reset, vfio, twin }) else {
                continue;
            };
            // Taken since the leases were listed, or looked at to be: somebody's work.
            let looking = context.leases.look_at(candidate.address)?;
            let is_taken = context.leases.is_taken(&Claim::Device(candidate.address));
            if held.is_none() && (looking.is_none() || is_taken) {
                continue;
            }
            let found = act(kernel, candidate.address, held, remark, dry_run, deadline);
            if found.outcome == Mended::Released {
                chronicle::freed(context, candidate.address, &found.what);
            }
            findings.push(found);
        }
    }
    Ok(findings)
}

fn unseen(device: PciAddress, error: &crate::kernel::KernelError) -> Finding {
    Finding {
        device: Some(device),
        what: format!("it cannot be looked at: {}", with_causes(error)),
        outcome: Mended::LeftAlone,
        ..Finding::default()
    }
}

/// Another VF with the MAC address of this one.
fn twin(device: PciAddress, macs: &[(MacAddress, PciAddress)]) -> Option<(MacAddress, PciAddress)> {
    let (mac, _) = macs.iter().find(|(_, address)| *address == device)?;
    macs.iter().find(|(other, address)| other == mac && *address != device).copied()
}

/// Who has which device, and as what.
pub(super) type Holders<'a> = BTreeMap<PciAddress, (&'a Lease, &'a Attached)>;

/// The devices that leases hold.
pub(super) fn by_device(leases: &[Lease]) -> Holders<'_> {
    let pairs = leases.iter().flat_map(|lease| lease.interfaces().map(move |had| (lease, had)));
    pairs.filter_map(|(lease, had)| Some((had.device?, (lease, had)))).collect()
}

/// What a pool does with its own.
#[derive(Clone, Copy, Default)]
struct Member {
    /// Between two sandboxes.
    reset: Reset,
    /// Whether it gives them to programs.
    vfio: bool,
}

/// The VFs that pools are made of.
fn members(kernel: &mut impl Kernel, context: &Context) -> BTreeMap<PciAddress, Member> {
    let pools = context.config.pools.values().filter(|pool| pool.kind == PoolKind::Sriov);
    let of_pool = pools.flat_map(|pool| {
        let functions = kernel.physical_functions(&pool.selector).found;
        let vfs = functions.into_iter().flat_map(|function| function.vfs);
        vfs.filter(|vf| pool.selector.wants(vf.index, vf.address))
            .map(|vf| (vf.address, Member { reset: pool.reset, vfio: pool.vfio.is_some() }))
    });
    of_pool.collect()
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

fn act(
    kernel: &mut impl Kernel,
    device: PciAddress,
    lease: Option<&Lease>,
    remark: Remark,
    dry_run: bool,
    deadline: Deadline,
) -> Finding {
    let outcome = match &remark.step {
        None => Mended::LeftAlone,
        Some(_) if dry_run => Mended::WouldRelease,
        Some(step) => {
            let done = execute::undo(std::slice::from_ref(step), kernel, deadline);
            if done.is_clean() {
                Mended::Released
            } else {
                Mended::Failed(done.reasons().join("; "))
            }
        }
    };
    let found = lease.map_or_else(Finding::default, Finding::of);
    Finding { device: Some(device), what: remark.what, outcome, ..found }
}
