//! The steps that take everything back. They were computed before anything was changed; this only says which and in what order.

use super::{
    Plan,
    step::{Step, Translate},
};
use crate::types::{Reach, TranslationPlace};

/// What undoes the whole of `plan`, whether or not each step of it was done: undo steps may be repeated and may find
/// that nothing is left to do.
pub fn detach(plan: &Plan) -> Vec<Step> {
    plan.undo_of(plan.steps().len())
}

/// How many of these undo steps somebody waits for. The rest deletes links of ours, which nobody else gets and which a namespace that ends
/// takes along: that takes the kernel tens of milliseconds, and the lease holds until it is over.
pub fn urgent(steps: &[Step]) -> usize {
    let urgent = steps.iter().rposition(|step| !matches!(step, Step::DeleteLink(_)));
    urgent.map_or(0, |last| last + 1)
}

/// What the leases that remain share with one that goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Others {
    /// Whether one has an address of the service path.
    pub masquerade: bool,
    /// Whether one has any view of services.
    pub translate: bool,
    /// Whether one has the same view.
    pub share_view: bool,
}

/// What is to be removed when the last lease that shares it goes, given what the others that remain have.
pub fn last_one_out(plan: &Plan, others: Others) -> Vec<Step> {
    let masquerades = plan.masquerades() && !others.masquerade;
    let mut steps: Vec<Step> = masquerades.then_some(Step::RemoveMasquerade).into_iter().collect();
    if let Some((place, reach)) = plan.view() {
        let place = place.clone();
        if !others.translate {
            steps.push(Step::Translate(Translate::Remove { place }));
        } else if !others.share_view {
            let view = reach.view();
            steps.push(Step::Translate(Translate::ForgetView { place, view }));
        }
    }
    steps
}

impl Plan {
    /// Whether the plan relies on the masquerade table, which all leases share.
    pub fn masquerades(&self) -> bool {
        self.steps().iter().any(|planned| matches!(planned.step, Step::InstallMasquerade { .. }))
    }

    /// Where services become backends for the sandbox, and what makes its view of them.
    pub fn view(&self) -> Option<(&TranslationPlace, &Reach)> {
        self.steps().iter().find_map(|planned| match &planned.step {
            Step::Translate(Translate::GiveView { place, reach, .. }) => Some((place, reach)),
            _ => None,
        })
    }
}
