//! A route of ours in the sandbox that wins over all that are there, and how what belongs to an interface is undone.

use super::{
    PlannedStep, Undo,
    refusal::AttachPlanError,
    step::{Place, Step},
};
use crate::{
    inventory::{Route, SandboxFacts},
    types::InterfaceName,
};

/// Adds a route in the sandbox, with the metric by which it wins over all that are there. They stay as they are.
pub(super) fn put_route(
    sandbox: &SandboxFacts,
    route: Route,
    undo: impl FnOnce(&Route) -> Undo,
) -> Result<PlannedStep, AttachPlanError> {
    let metric = sandbox.metric_to_win(&route.to);
    let metric = metric.map_err(|first| AttachPlanError::NoMetric(Box::new(first.clone())))?;
    let route = Route { metric, ..route };
    let undo = undo(&route);
    Ok(PlannedStep::new(Step::AddRoute { place: Place::Sandbox, route }, undo))
}

pub(super) fn gone_with(name: &InterfaceName) -> Undo {
    Undo::with(format!("goes with {name}"))
}
