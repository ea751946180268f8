//! The steps that take everything back. They were computed before anything was changed; this only says which and in what order.

use super::{Plan, step::Step};

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

/// What is to be removed when the last lease goes, given whether any of the others that remain has a service path.
pub fn last_one_out(plan: &Plan, others_masquerade: bool) -> Vec<Step> {
    let masquerades = plan.masquerades() && !others_masquerade;
    masquerades.then_some(Step::RemoveMasquerade).into_iter().collect()
}

impl Plan {
    /// Whether the plan relies on the masquerade table, which all leases share.
    pub fn masquerades(&self) -> bool {
        self.steps().iter().any(|planned| matches!(planned.step, Step::InstallMasquerade { .. }))
    }
}
