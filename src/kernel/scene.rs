//! Looks once at all that a lease gave: a bounded number of messages, however much it gave and whatever else there is. Of a card it
//! asks once, however many leases are looked at by one value. Judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    KernelError, LinuxKernel,
    files::sysctl,
    netfilter::masquerade,
    rtnetlink::{address, link, neighbour, route_message, vf},
};
use crate::{
    inventory::{Candidate, Link, RouteFamilies, Scene, Sight, Whereabouts},
    plan::{
        Plan,
        step::{Place, Step},
    },
    types::{PciAddress, VfAttributes},
};

/// What there is of what `plan` gave. The sandbox must be open.
pub(super) fn look(kernel: &mut LinuxKernel, plan: &Plan) -> Result<Scene, KernelError> {
    let sandbox = in_sandbox(kernel, plan)?;
    let host = on_host(kernel, plan)?;
    let (mut elsewhere, mut cards) = (BTreeMap::new(), BTreeMap::new());
    let mut masquerades = true;
    for planned in &plan.steps {
        match &planned.step {
            Step::TakeDevice(step) if !has_device(&sandbox, step.device) => {
                elsewhere.insert(step.device, whereabouts(kernel, step.device)?);
            }
            Step::ConfigureVf(step) if !step.forgiving => {
                cards.extend(card(kernel, &step.device)?.map(|set| (step.device.address, set)));
            }
            Step::InstallMasquerade { sources } => {
                masquerades = masquerade::is_whole(kernel, sources)?;
            }
            _ => {}
        }
    }
    Ok(Scene { host, sandbox, masquerades, elsewhere, cards })
}

fn has_device(sandbox: &Sight, device: PciAddress) -> bool {
    sandbox.links.iter().any(|link| link.parent == Some(device))
}

fn in_sandbox(kernel: &mut LinuxKernel, plan: &Plan) -> Result<Sight, KernelError> {
    let netlink = kernel.netlink(Place::Sandbox)?;
    let links = link::all(netlink)?;
    let mut neighbours = BTreeSet::new();
    for link in links.iter().filter(|link| has_neighbours(plan, Place::Sandbox, link)) {
        neighbours.extend(neighbour::permanent(netlink, link.index)?);
    }
    Ok(Sight {
        addresses: address::all(netlink)?,
        routes: route_message::all(netlink, RouteFamilies::BOTH, &links)?,
        neighbours,
        sysctls: BTreeMap::new(),
        links,
    })
}

/// On the host only the interfaces that the plan made are of interest.
fn on_host(kernel: &mut LinuxKernel, plan: &Plan) -> Result<Sight, KernelError> {
    let mut sight = Sight { sysctls: sysctls(plan), ..Sight::default() };
    for planned in &plan.steps {
        let Step::CreateVeth(step) = &planned.step else { continue };
        let netlink = &mut kernel.host;
        let named = link::by_name(netlink, &step.host)?;
        let found = match named {
            Some(found) => Some(found),
            // Somebody may have renamed it.
            None => link::all(netlink)?.into_iter().find(|link| link.mac == Some(step.host_mac)),
        };
        let Some(found) = found else { continue };
        sight.neighbours.extend(neighbour::permanent(netlink, found.index)?);
        sight.routes.extend(route_message::by_link(netlink, &found)?);
        sight.links.push(found);
    }
    Ok(sight)
}

fn has_neighbours(plan: &Plan, at: Place, link: &Link) -> bool {
    plan.steps.iter().any(|planned| {
        matches!(&planned.step, Step::AddNeighbour { place, name, .. } if *place == at && link.name == *name)
    })
}

fn sysctls(plan: &Plan) -> BTreeMap<String, String> {
    let keys = plan.steps.iter().filter_map(|planned| match &planned.step {
        Step::WriteSysctl { place: Place::Host, key, .. } => Some(key),
        _ => None,
    });
    keys.filter_map(|key| Some((key.clone(), sysctl::read_here(key).ok()?))).collect()
}

fn whereabouts(kernel: &mut LinuxKernel, device: PciAddress) -> Result<Whereabouts, KernelError> {
    if !kernel.sysfs.exists(device) {
        return Ok(Whereabouts::Gone);
    }
    if kernel.sysfs.driver(device).is_none() {
        return Ok(Whereabouts::Driverless);
    }
    let home = link::of_device(kernel, device)?;
    Ok(home.map_or(Whereabouts::Away, |link| Whereabouts::Home(Box::new(link))))
}

/// What the card enforces for a VF; `None` when there is no card to ask.
fn card(kernel: &mut LinuxKernel, device: &Candidate) -> Result<Option<VfAttributes>, KernelError> {
    let Ok(pf) = kernel.sysfs.pf_index(device) else { return Ok(None) };
    if !kernel.cards.contains_key(&pf) {
        let listed = vf::of_card(&mut kernel.host, pf)?;
        kernel.cards.insert(pf, listed);
    }
    Ok(kernel.cards.get(&pf).and_then(|listed| listed.get(&device.index).copied()))
}
