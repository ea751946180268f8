//! Decides what to do and how it is undone. Pure: no kernel, no file, no clock, no log, no randomness.

mod add_route;
mod address;
mod attach;
mod audit;
mod bond;
mod card;
mod check;
mod chosen;
mod detach;
mod given;
mod held;
mod inside;
mod ipv6;
mod mac;
mod made_link;
mod mend;
mod network;
mod orphans;
mod place;
mod provision;
mod recognise;
mod refusal;
mod render;
mod reroute;
mod sequence;
mod service_path;
pub mod step;
mod translate;
mod translate_step;
mod vf;
mod vfio;
mod way;
mod ways;
mod whole_device;

use serde::{Deserialize, Serialize};

pub use address::{candidates, seed};
pub use attach::attach;
pub use audit::{Remark, Seen, audit};
pub use check::{Flaw, check};
pub use chosen::{AttachInput, ChosenDevice, ChosenNetwork, ChosenService, ChosenView};
pub use detach::{Others, detach, last_one_out, urgent};
pub use held::{Held, holds};
pub use mac::interface_mac;
pub use mend::{Mending, mend};
pub use orphans::{Accounted, orphans};
pub use provision::{Occupied, ProvisionError, Wanted, provision};
pub use refusal::AttachPlanError;
pub use render::{made_as, sentence, undo_sentence};
pub use reroute::{Reroute, Served, differs, reroute};
pub use sequence::Plan;
use step::Step;
pub use translate::{lost, publication};
pub use vfio::drives;
pub use way::{WayFacts, stays_outside};

/// A step with its undo and its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// What is done.
    pub step: Step,
    /// How it is undone.
    pub undo: Undo,
}

/// How a step is undone. Computed from what was observed before the step; saying nothing is not possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// By this step.
    By(Box<Step>),
    /// By the undo of an earlier step, which takes the effect of this one along.
    With(String),
    /// Not at all, for this reason.
    Never(String),
}

impl PlannedStep {
    pub(crate) fn new(step: Step, undo: Undo) -> Self {
        Self { step, undo }
    }
}

impl Undo {
    pub(crate) fn by(step: Step) -> Self {
        Self::By(Box::new(step))
    }

    pub(crate) fn with(what: impl Into<String>) -> Self {
        Self::With(what.into())
    }
}
