//! What the history calls a step. Decides nothing.

use std::{collections::BTreeMap, time::Duration};

use crate::{history::StepKind, plan::step::Step};

/// How long steps took, in microseconds, by their kind.
pub(super) type Times = BTreeMap<StepKind, Vec<u32>>;

/// The times of `steps`, which are in their order; steps that were not come to have none.
pub(super) fn times<'a>(steps: impl IntoIterator<Item = &'a Step>, took: &[Duration]) -> Times {
    let mut times = Times::new();
    for (step, took) in steps.into_iter().zip(took) {
        let us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        times.entry(kind(step)).or_default().push(us);
    }
    times
}

fn kind(step: &Step) -> StepKind {
    match step {
        Step::ConfigureVf(_) => StepKind::ConfigureVf,
        Step::TakeDevice(_) => StepKind::TakeDevice,
        Step::ReturnDevice(_) => StepKind::ReturnDevice,
        Step::BindVfio(_) => StepKind::BindVfio,
        Step::UnbindVfio(_) => StepKind::UnbindVfio,
        Step::CreateMacvlan(_) => StepKind::CreateMacvlan,
        Step::CreateIpvlan(_) => StepKind::CreateIpvlan,
        Step::CreateVlan(_) => StepKind::CreateVlan,
        Step::CreateVeth(_) => StepKind::CreateVeth,
        Step::CreateBond(_) => StepKind::CreateBond,
        Step::JoinBond(_) => StepKind::JoinBond,
        Step::DeleteLink(_) => StepKind::DeleteLink,
        Step::LinkUp { .. } => StepKind::LinkUp,
        Step::ProbeAddresses { .. } => StepKind::ProbeAddresses,
        Step::AddAddress { .. } => StepKind::AddAddress,
        Step::AddRoute { .. } => StepKind::AddRoute,
        Step::DeleteRoute { .. } => StepKind::DeleteRoute,
        Step::AddRule(_) => StepKind::AddRule,
        Step::DeleteRule(_) => StepKind::DeleteRule,
        Step::AddNeighbour { .. } => StepKind::AddNeighbour,
        Step::WriteSysctl { .. } => StepKind::WriteSysctl,
        Step::Announce { .. } => StepKind::Announce,
        Step::InstallMasquerade { .. } | Step::RemoveMasquerade => StepKind::Masquerade,
        Step::Translate(_) => StepKind::Translate,
        // Of no sandbox.
        Step::SetFunctionUp { .. } | Step::SetNumVfs { .. } => StepKind::Other,
    }
}
