//! The link that was given under a name, whatever it is called by now: whoever made it tells what it is known by. Judges nothing.

use super::{
    Plan,
    recognise::device_in,
    step::{CreateBond, CreateIpvlan, CreateVlan, Place, Step},
};
use crate::{
    inventory::{Link, Scene},
    types::{InterfaceName, MacAddress},
};

/// It, where it is seen.
pub(super) fn given<'a>(
    plan: &Plan,
    scene: &'a Scene,
    place: Place,
    name: &InterfaceName,
) -> Option<&'a Link> {
    let links = match place {
        Place::Host => &scene.host.links,
        Place::Sandbox => &scene.sandbox.links,
    };
    let by_mac = |mac: MacAddress| links.iter().find(|link| link.mac == Some(mac));
    let tagged =
        || links.iter().find(|link| link.name == *name && is_tagged(plan, place, name, link));
    for planned in plan.steps() {
        match (&planned.step, place) {
            (Step::TakeDevice(step), Place::Sandbox) if step.name == *name => {
                return device_in(scene, step);
            }
            (Step::CreateMacvlan(step), Place::Sandbox) if step.name == *name => {
                return by_mac(step.mac).or_else(tagged);
            }
            (
                Step::CreateIpvlan(CreateIpvlan { name: made, group, .. })
                | Step::CreateVlan(CreateVlan { name: made, group, .. })
                | Step::CreateBond(CreateBond { name: made, group, .. }),
                Place::Sandbox,
            ) if made == name => {
                let by_group = links.iter().find(|link| link.group() == Some(*group));
                return by_group.or_else(tagged);
            }
            (Step::CreateVeth(step), Place::Host) if step.host == *name => {
                return by_mac(step.host_mac).or_else(tagged);
            }
            (Step::CreateVeth(step), Place::Sandbox) if step.inside == *name => {
                return by_mac(step.inside_mac).or_else(tagged);
            }
            _ => {}
        }
    }
    links.iter().find(|link| link.name == *name)
}

fn is_tagged(plan: &Plan, place: Place, name: &InterfaceName, link: &Link) -> bool {
    let tags = plan.steps().iter().filter_map(|planned| match &planned.step {
        Step::LinkUp { place: up, name: of, tag } if *up == place && of == name => Some(tag),
        _ => None,
    });
    tags.into_iter().any(|tag| link.alias.as_ref().is_some_and(|alias| *alias == *tag.to_string()))
}
