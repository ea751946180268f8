//! Is a plan sane? A plan that is not is a defect of vfhook, and is refused before anything is touched.

use std::collections::BTreeSet;

use super::{Plan, Undo, step::Step};
use crate::types::KernelText;

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A device is taken twice.
    #[error("device {0} is taken twice")]
    TakenTwice(crate::types::PciAddress),
    /// Something is made or taken that no undo gives back.
    #[error("step {0} has no undo of its own")]
    NoUndo(usize),
    /// Two links of one name in the sandbox.
    #[error("interface {0} is made twice")]
    MadeTwice(crate::types::InterfaceName),
    /// A link is used before it is there.
    #[error("step {0} uses an interface that is made later")]
    TooEarly(usize),
}

/// Everything that is wrong with `plan`; empty when it is sane.
pub fn check(plan: &Plan) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut devices = BTreeSet::new();
    let mut made = BTreeSet::new();
    let makers: BTreeSet<_> = plan
        .steps()
        .iter()
        .filter_map(|planned| inside_name(&planned.step))
        .map(KernelText::from)
        .collect();
    for (position, planned) in plan.steps().iter().enumerate() {
        if let Some(device) = taken(&planned.step) {
            if !devices.insert(device) {
                flaws.push(Flaw::TakenTwice(device));
            }
            if !matches!(planned.undo, Undo::By(_)) {
                flaws.push(Flaw::NoUndo(position));
            }
        }
        let lasting = inside_name(&planned.step);
        let is_device = taken(&planned.step).is_some();
        if lasting.is_some() && !is_device && !matches!(planned.undo, Undo::By(_)) {
            flaws.push(Flaw::NoUndo(position));
        }
        if let Some(name) = lasting {
            if !made.insert(KernelText::from(name)) {
                flaws.push(Flaw::MadeTwice(name.clone()));
            }
        }
        if let Some(name) = used_name(&planned.step).filter(|name| makers.contains(name)) {
            if !made.contains(&name) {
                flaws.push(Flaw::TooEarly(position));
            }
        }
    }
    flaws
}

fn taken(step: &Step) -> Option<crate::types::PciAddress> {
    match step {
        Step::TakeDevice(take) => Some(take.device),
        Step::BindVfio(bind) => Some(bind.device),
        _ => None,
    }
}

fn inside_name(step: &Step) -> Option<&crate::types::InterfaceName> {
    match step {
        Step::TakeDevice(take) => Some(&take.name),
        Step::CreateMacvlan(macvlan) => Some(&macvlan.name),
        Step::CreateIpvlan(ipvlan) => Some(&ipvlan.name),
        Step::CreateBond(bond) => Some(&bond.name),
        Step::CreateVeth(veth) => Some(&veth.inside),
        _ => None,
    }
}

fn used_name(step: &Step) -> Option<KernelText> {
    match step {
        // Its link was taken by an earlier step, which is looked at for itself.
        Step::JoinBond(join) => Some((&join.bond).into()),
        Step::LinkUp { name, .. }
        | Step::ProbeAddresses { name, .. }
        | Step::AddAddress { name, .. }
        | Step::Announce { name, .. } => Some(name.into()),
        Step::AddRoute { route, .. } => Some(route.interface.clone()),
        _ => None,
    }
}
