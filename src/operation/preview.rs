//! What an operation would do: for `--dry-run`, which changes nothing and records nothing.

use serde::Serialize;

use crate::plan::{Plan, PlannedStep, sentence, step::Step, undo_sentence};

/// The steps in order, each with its undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The steps.
    pub steps: Vec<PreviewStep>,
}

/// A step in words and as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviewStep {
    /// What would be done.
    pub what: String,
    /// How it would be undone.
    pub undo: String,
    /// The step itself.
    pub step: Step,
}

impl Preview {
    /// What `plan` would do.
    pub(super) fn of_plan(plan: &Plan) -> Self {
        Self { steps: plan.steps().iter().map(of_planned).collect() }
    }

    /// What taking back would do; taking back is not undone.
    pub(super) fn of_undo(steps: Vec<Step>) -> Self {
        let undo = "nothing: this is the way back".to_owned();
        let steps = steps.into_iter().map(|step| PreviewStep {
            what: sentence(&step),
            undo: undo.clone(),
            step,
        });
        Self { steps: steps.collect() }
    }
}

fn of_planned(planned: &PlannedStep) -> PreviewStep {
    PreviewStep {
        what: sentence(&planned.step),
        undo: undo_sentence(&planned.undo),
        step: planned.step.clone(),
    }
}
