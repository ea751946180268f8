//! What makes a lease hold again: the steps of its own plan that do not hold, in its order, and those that lean on them. The plan
//! stays as it is recorded, with every undo, so a mending that is broken off is begun anew by the next look.

use std::collections::BTreeSet;

use super::{
    Held, Plan, PlannedStep, Undo,
    held::lost_network,
    holds, inside,
    step::{ConfigureVf, JoinBond, OwnLink, Place, Step, TakeDevice},
};
use crate::{
    inventory::{Scene, Whereabouts},
    types::{InterfaceName, PciAddress, VfAttribute, VfAttributes},
};

/// What one look at a lease came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mending {
    /// What does not hold, and is mended by the steps.
    pub wrong: Vec<String>,
    /// What does not hold, and stays so.
    pub lost: Vec<String>,
    /// The device that it is about, where it is about one.
    pub device: Option<PciAddress>,
    /// What holds, and is switched all the same: the wire is gone, and there is another way meanwhile.
    pub switched: Option<String>,
    /// The steps.
    pub steps: Plan,
}

impl Mending {
    /// Whether everything is as it was given.
    pub fn is_whole(&self) -> bool {
        self.wrong.is_empty() && self.lost.is_empty()
    }

    /// All that is wrong, in words.
    pub fn what(&self) -> String {
        self.wrong
            .iter()
            .chain(&self.lost)
            .chain(&self.switched)
            .cloned()
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Judges every step of `plan` by what was seen, and says what mends it.
pub fn mend(plan: &Plan, scene: &Scene) -> Mending {
    let mut found = Mending::default();
    let mut steps = Vec::new();
    // Interfaces that are made or taken anew, and those that cannot be.
    let (mut anew, mut absent) = (BTreeSet::new(), BTreeSet::new());
    for planned in plan.steps() {
        let leans_on = |names: &BTreeSet<(Place, InterfaceName)>| {
            used(&planned.step).iter().any(|used| names.contains(used))
        };
        match holds(plan, planned, scene) {
            _ if leans_on(&absent) => {}
            Held::Lost(what) => {
                found.device = found.device.or(device_of(&planned.step));
                found.lost.push(what);
                absent.extend(made(&planned.step));
            }
            Held::No(what) => {
                found.device = found.device.or(device_of(&planned.step));
                found.wrong.push(what);
                anew.extend(made(&planned.step));
                steps.extend(again(plan, planned, scene));
            }
            Held::Yes if leans_on(&anew) => steps.push(only(planned.step.clone())),
            Held::Yes => {}
        }
    }
    if let Some(step) = inside::switch_off(plan, scene) {
        found.switched = Some(CUT_OFF.to_owned());
        steps.push(only(step));
    }
    found.steps = Plan::new(steps);
    found
}

const CUT_OFF: &str =
    "its networks have no carrier: its services are reached by the pair until one has it again";

/// A step of a mending has no undo of its own: that of the plan stands.
fn only(step: Step) -> PlannedStep {
    PlannedStep::new(step, Undo::with("goes with the lease"))
}

/// What does a step again. What is left of a link of ours goes first, since it would be in the way.
fn again(plan: &Plan, planned: &PlannedStep, scene: &Scene) -> Vec<PlannedStep> {
    match (&planned.step, &planned.undo) {
        (Step::TakeDevice(step), _) => take_again(plan, step, scene),
        (Step::ConfigureVf(step), _) => vec![only(set_again(step, scene))],
        (
            step @ (Step::CreateVeth(_)
            | Step::CreateMacvlan(_)
            | Step::CreateIpvlan(_)
            | Step::CreateVlan(_)
            | Step::CreateBond(_)),
            Undo::By(undo),
        ) => {
            vec![only(delete(undo, scene)), only(step.clone())]
        }
        // Added again, an address that is there brings nothing back.
        (step @ Step::AddAddress { name, address }, _) => {
            let route = lost_network(plan, scene, name, *address);
            let route = route.map(|route| Step::AddRoute { place: Place::Sandbox, route });
            vec![only(route.unwrap_or_else(|| step.clone()))]
        }
        // One that is there in part would be taken for the whole.
        (step @ Step::AddRoute { place, route }, _) => {
            let delete = Step::DeleteRoute { place: *place, route: route.clone() };
            vec![only(delete), only(step.clone())]
        }
        (step, _) => vec![only(step.clone())],
    }
}

/// The undo of a link of ours, by the name that it has by now.
fn delete(undo: &Step, scene: &Scene) -> Step {
    let Step::DeleteLink(own) = undo else { return undo.clone() };
    let links = match own.place {
        Place::Host => &scene.host.links,
        Place::Sandbox => &scene.sandbox.links,
    };
    let found = links.iter().find(|link| own.is(link));
    let name = found.and_then(|link| link.name.as_str()?.parse().ok());
    Step::DeleteLink(OwnLink { name: name.unwrap_or_else(|| own.name.clone()), ..own.clone() })
}

/// A device that came home goes in again, set as it was: a driver that began anew may have forgotten all of it.
fn take_again(plan: &Plan, step: &TakeDevice, scene: &Scene) -> Vec<PlannedStep> {
    let Some(Whereabouts::Home(link)) = scene.elsewhere.get(&step.device) else {
        return Vec::new();
    };
    let set = plan.steps().iter().filter(|planned| device_of(&planned.step) == Some(step.device));
    let set = set.filter(|planned| matches!(planned.step, Step::ConfigureVf(_)));
    let take = Step::TakeDevice(TakeDevice { index: link.index, ..step.clone() });
    set.map(|planned| only(planned.step.clone())).chain([only(take)]).collect()
}

/// Only what differs is set: a driver may refuse to be told again what it has.
fn set_again(step: &ConfigureVf, scene: &Scene) -> Step {
    let differing =
        scene.cards.get(&step.device.address).map(|card| step.attributes.differing(card));
    let differing = differing.unwrap_or_default();
    let attributes = VfAttribute::ALL
        .into_iter()
        .filter(|which| !differing.contains(which))
        .fold(step.attributes, VfAttributes::without);
    let (interface_mac, permanent_mac) = (None, None);
    Step::ConfigureVf(ConfigureVf { attributes, interface_mac, permanent_mac, ..step.clone() })
}

fn device_of(step: &Step) -> Option<PciAddress> {
    match step {
        Step::TakeDevice(step) => Some(step.device),
        Step::BindVfio(step) => Some(step.device),
        Step::ConfigureVf(step) => Some(step.device.address),
        _ => None,
    }
}

/// The interfaces that a step makes or brings.
fn made(step: &Step) -> Vec<(Place, InterfaceName)> {
    match step {
        Step::TakeDevice(step) => vec![(Place::Sandbox, step.name.clone())],
        Step::CreateMacvlan(step) => vec![(Place::Sandbox, step.name.clone())],
        Step::CreateIpvlan(step) => vec![(Place::Sandbox, step.name.clone())],
        Step::CreateVlan(step) => vec![(Place::Sandbox, step.name.clone())],
        Step::CreateBond(step) => vec![(Place::Sandbox, step.name.clone())],
        Step::CreateVeth(step) => {
            vec![(Place::Host, step.host.clone()), (Place::Sandbox, step.inside.clone())]
        }
        _ => Vec::new(),
    }
}

/// The interfaces that a step works on.
fn used(step: &Step) -> Vec<(Place, InterfaceName)> {
    let one = match step {
        Step::LinkUp { place, name, .. } | Step::AddNeighbour { place, name, .. } => {
            Some((*place, name.clone()))
        }
        Step::AddAddress { name, .. } | Step::Announce { name, .. } => {
            Some((Place::Sandbox, name.clone()))
        }
        Step::JoinBond(JoinBond { bond, name }) => {
            return [bond, name].map(|name| (Place::Sandbox, name.clone())).to_vec();
        }
        Step::AddRoute { place, route } => named(*place, route.interface.as_str()),
        Step::WriteSysctl { place, key, .. } => named(*place, key.split('/').nth(2)),
        _ => None,
    };
    one.into_iter().collect()
}

fn named(place: Place, name: Option<&str>) -> Option<(Place, InterfaceName)> {
    Some((place, name?.parse().ok()?))
}
