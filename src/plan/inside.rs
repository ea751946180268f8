//! The steps by which services become backends where a sandbox connects, and whether they hold. What services there are is the machine's
//! affair and no step of a sandbox's: sandboxes of one reach share a view, which follows the configuration.

use super::{
    Plan, PlannedStep, Undo,
    chosen::ChosenView,
    given::given,
    step::{
        CreateBond, CreateIpvlan, CreateMacvlan, CreateVlan, Place, Step, TakeDevice, Translate,
    },
};
use crate::inventory::{Link, Scene};

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
pub(super) fn lacks(plan: &Plan, step: &Translate, scene: &Scene) -> Option<String> {
    match step {
        Translate::Install { .. } => {
            let complaint = scene.translation.as_ref()?;
            Some(format!("services do not become backends: {complaint}"))
        }
        Translate::GiveView { .. } if scene.view.is_none() && is_cut_off(plan, scene) => None,
        Translate::GiveView { reach, .. } if scene.view != Some(reach.view()) => {
            Some("its namespace does not have its view of services".to_owned())
        }
        _ => None,
    }
}

/// What takes its view from a sandbox that is cut off and has a pair, by which its services are reached until a wire is back. Nothing is wrong
/// with what it was given.
pub(super) fn switch_off(plan: &Plan, scene: &Scene) -> Option<Step> {
    let take = plan.steps().iter().find_map(|planned| match (&planned.step, &planned.undo) {
        (Step::Translate(Translate::GiveView { reach, .. }), Undo::By(take)) => {
            (scene.view == Some(reach.view())).then(|| (**take).clone())
        }
        _ => None,
    });
    take.filter(|_| is_cut_off(plan, scene))
}

/// Whether all that it was given to reach networks by is up, and has no carrier; and it has another way.
fn is_cut_off(plan: &Plan, scene: &Scene) -> bool {
    let steps = || plan.steps().iter().map(|planned| &planned.step);
    let names = steps().filter_map(|step| match step {
        Step::TakeDevice(TakeDevice { name, .. })
        | Step::CreateMacvlan(CreateMacvlan { name, .. })
        | Step::CreateIpvlan(CreateIpvlan { name, .. })
        | Step::CreateVlan(CreateVlan { name, .. })
        | Step::CreateBond(CreateBond { name, .. }) => Some(name),
        _ => None,
    });
    let mut links = names.map(|name| given(plan, scene, Place::Sandbox, name)).peekable();
    let has_pair = steps().any(|step| matches!(step, Step::CreateVeth(_)));
    let is_cut = |link: Option<&Link>| link.is_some_and(|link| scene.cut.contains(&link.index));
    has_pair && links.peek().is_some() && links.all(is_cut)
}
