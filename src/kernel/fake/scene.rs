//! What a look at all that a plan gave sees.

use std::collections::{BTreeMap, BTreeSet};

use super::{Machine, Namespace, observe::seen, session::Session};
use crate::{
    inventory::{Hop, Route, Scene, SeenRoute, Sight, Whereabouts},
    kernel::KernelError,
    plan::{
        Plan,
        step::{Place, Step, Translate},
    },
    types::PciAddress,
};

pub(super) fn look(session: &mut Session, plan: &Plan) -> Result<Scene, KernelError> {
    let sandbox = sight(session.namespace(Place::Sandbox)?);
    let host = sight(session.namespace(Place::Host)?);
    let (mut elsewhere, mut cards) = (BTreeMap::new(), BTreeMap::new());
    let mut drivers = BTreeMap::new();
    let mut masquerades = true;
    let (mut translation, mut view) = (None, None);
    for planned in plan.steps() {
        match &planned.step {
            Step::TakeDevice(step)
                if !sandbox.links.iter().any(|link| link.parent == Some(step.device)) =>
            {
                elsewhere.insert(step.device, whereabouts(session.machine, step.device));
            }
            Step::BindVfio(step) => {
                let card = session.machine.card_of(step.device);
                let vf = card.and_then(|card| card.vf(step.device));
                drivers.extend(vf.map(|vf| (step.device, vf.driver.clone())));
            }
            Step::ConfigureVf(step) if !step.forgiving => {
                let vf = session.machine.card_of(step.device.address);
                let vf = vf.and_then(|card| card.vf(step.device.address));
                cards.extend(vf.map(|vf| (step.device.address, vf.attributes)));
            }
            Step::InstallMasquerade { sources } => {
                masquerades = session.machine.masquerade.contains(sources);
            }
            Step::Translate(Translate::Install { place }) => {
                translation = session.machine.translation.judge(place);
            }
            Step::Translate(Translate::GiveView { place, cookie, .. }) => {
                view = session.machine.translation.view_of(place, *cookie);
            }
            _ => {}
        }
    }
    let cut = BTreeSet::new();
    Ok(Scene { host, sandbox, masquerades, translation, view, cut, elsewhere, drivers, cards })
}

fn whereabouts(machine: &Machine, device: PciAddress) -> Whereabouts {
    let vf = machine.card_of(device).and_then(|card| card.vf(device));
    match vf {
        None if !machine.whole.contains(&device) => return Whereabouts::Gone,
        Some(vf) if vf.driver.is_none() => return Whereabouts::Driverless,
        _ => {}
    }
    let mut links = machine.host.links.values();
    let home = links.find(|link| link.facts.parent == Some(device));
    home.map_or(Whereabouts::Away, |link| Whereabouts::Home(Box::new(link.facts.clone())))
}

fn sight(namespace: &Namespace) -> Sight {
    let mut sight = Sight { rules: namespace.rules.clone(), ..Sight::default() };
    for (index, link) in &namespace.links {
        sight.links.push(link.facts.clone());
        sight.addresses.extend(link.facts.addresses.iter().map(|address| (*index, *address)));
        let neighbours = link.neighbours.iter().map(|(address, mac)| (*index, *address, *mac));
        sight.neighbours.extend(neighbours);
        sight.routes.extend(link.routes.iter().map(seen));
        sight.routes.extend(link.facts.addresses.iter().map(|address| SeenRoute {
            // Made by the kernel with the address.
            to: address.trunc(),
            metric: 0,
            protocol: 2,
            table: Route::MAIN,
            source: None,
            hops: vec![Hop { via: None, interface: link.facts.name.clone(), onlink: false }],
        }));
        let sysctls = link.sysctls.iter().filter_map(|(short, value)| {
            let (family, leaf) = short.split_once('/')?;
            Some((format!("{family}/conf/{}/{leaf}", link.facts.name), value.clone()))
        });
        sight.sysctls.extend(sysctls);
    }
    sight
}
