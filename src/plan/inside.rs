//! The steps by which services become backends where a sandbox connects, and whether they hold. What services there are is the machine's
//! affair and no step of a sandbox's: sandboxes of one reach share a view, which follows the configuration.

use super::{
    PlannedStep, Undo,
    chosen::ChosenView,
    step::{Step, Translate},
};
use crate::inventory::Scene;

/// The steps, in order.
pub(super) fn steps(chosen: &ChosenView) -> [PlannedStep; 2] {
    let ChosenView { place, cookie, reach } = chosen.clone();
    let install = Translate::Install { place: place.clone() };
    let take = Translate::TakeView { place: place.clone(), cookie };
    let give = Translate::GiveView { place, cookie, reach };
    [
        PlannedStep::new(
            Step::Translate(install),
            Undo::with("stays until the last view of services is gone"),
        ),
        PlannedStep::new(Step::Translate(give), Undo::by(Step::Translate(take))),
    ]
}

/// What one of them gave that is not there, in words.
pub(super) fn lacks(step: &Translate, scene: &Scene) -> Option<String> {
    match step {
        Translate::Install { .. } => {
            let complaint = scene.translation.as_ref()?;
            Some(format!("services do not become backends: {complaint}"))
        }
        Translate::GiveView { reach, .. } if scene.view != Some(reach.view()) => {
            Some("its namespace does not have its view of services".to_owned())
        }
        _ => None,
    }
}
