//! Looks once at all that a lease gave: a bounded number of messages, however much it gave and whatever else there is. Of a card it
//! asks once, however many leases are looked at by one value. Judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    KernelError, LinuxKernel,
    netfilter::masquerade,
    netlink::socket::Netlink,
    rtnetlink::{address, link, neighbour, route_message, rule, vf},
    socket_translation,
};
use crate::{
    inventory::{Candidate, Link, RouteFamilies, Scene, Sight, Sysctls, Whereabouts},
    plan::{
        Plan,
        step::{CreateVeth, Place, Step, Translate},
    },
    types::{InterfaceName, PciAddress, VfAttributes},
};

/// What there is of what `plan` gave. The sandbox must be open.
pub(super) fn look(kernel: &mut LinuxKernel, plan: &Plan) -> Result<Scene, KernelError> {
    let (sandbox, cut) = in_sandbox(kernel, plan)?;
    let host = on_host(kernel, plan)?;
    let (mut elsewhere, mut cards) = (BTreeMap::new(), BTreeMap::new());
    let mut drivers = BTreeMap::new();
    let mut masquerades = true;
    let (mut translation, mut view) = (None, None);
    for planned in plan.steps() {
        match &planned.step {
            Step::TakeDevice(step) if !has_device(&sandbox, step.device) => {
                elsewhere.insert(step.device, whereabouts(kernel, step.device)?);
            }
            Step::BindVfio(step) if kernel.sysfs.exists(step.device) => {
                drivers.insert(step.device, kernel.sysfs.driver(step.device));
            }
            Step::ConfigureVf(step) if !step.forgiving => {
                cards.extend(card(kernel, &step.device)?.map(|set| (step.device.address, set)));
            }
            Step::InstallMasquerade { sources } => {
                masquerades = masquerade::is_whole(kernel, sources)?;
            }
            Step::Translate(Translate::Install { place }) => {
                translation = socket_translation::judge(place)?;
            }
            Step::Translate(Translate::GiveView { place, cookie, .. }) => {
                view = socket_translation::view_of(place, *cookie)?;
            }
            _ => {}
        }
    }
    Ok(Scene { host, sandbox, masquerades, translation, view, cut, elsewhere, drivers, cards })
}

fn has_device(sandbox: &Sight, device: PciAddress) -> bool {
    sandbox.links.iter().any(|link| link.parent == Some(device))
}

/// What is in the sandbox, and the numbers of what is up there without a carrier.
fn in_sandbox(
    kernel: &mut LinuxKernel,
    plan: &Plan,
) -> Result<(Sight, BTreeSet<u32>), KernelError> {
    let netlink = kernel.netlink(Place::Sandbox)?;
    let (links, cut) = link::all_and_cut(netlink)?;
    let has_rules = plan.steps().iter().any(|planned| matches!(planned.step, Step::AddRule(_)));
    let mut neighbours = BTreeSet::new();
    for link in links.iter().filter(|link| has_neighbours(plan, Place::Sandbox, link)) {
        neighbours.extend(neighbour::permanent(netlink, link.index)?);
    }
    let sight = Sight {
        addresses: address::all(netlink)?,
        routes: route_message::all(netlink, RouteFamilies::BOTH, &links)?,
        neighbours,
        rules: if has_rules { rule::ours(netlink)? } else { BTreeSet::new() },
        sysctls: BTreeMap::new(),
        links,
    };
    Ok((sight, cut))
}

/// On the host only the interfaces that the plan made are of interest.
fn on_host(kernel: &mut LinuxKernel, plan: &Plan) -> Result<Sight, KernelError> {
    let mut sight = Sight::default();
    for planned in plan.steps() {
        let Step::CreateVeth(step) = &planned.step else { continue };
        let Some((found, sysctls)) = host_end(&mut kernel.host, step)? else { continue };
        if let Some(ahead) = &kernel.ahead {
            sight.neighbours.extend(ahead.neighbours_on(&found));
            sight.routes.extend(ahead.routes_by(&found));
        } else {
            sight.neighbours.extend(neighbour::permanent(&mut kernel.host, found.index)?);
            sight.routes.extend(route_message::by_link(&mut kernel.host, &found)?);
        }
        sight.links.push(found);
        sight.sysctls.extend(set_by(plan, &step.host, &sysctls));
    }
    Ok(sight)
}

/// The host's end of a pair, with its sysctls.
fn host_end(
    netlink: &mut Netlink,
    step: &CreateVeth,
) -> Result<Option<(Link, Sysctls)>, KernelError> {
    if let Some(found) = link::whole_by_name(netlink, &step.host)? {
        return Ok(Some(found));
    }
    // Somebody may have renamed it: then it is made anew, and how it is set is nobody's concern.
    let found = link::all(netlink)?.into_iter().find(|link| link.mac == Some(step.host_mac));
    Ok(found.map(|link| (link, Sysctls::default())))
}

fn has_neighbours(plan: &Plan, at: Place, link: &Link) -> bool {
    plan.steps().iter().any(|planned| {
        matches!(&planned.step, Step::AddNeighbour { place, name, .. } if *place == at && link.name == *name)
    })
}

/// Those that the plan set of the interface with this name, as they are now.
fn set_by(plan: &Plan, name: &InterfaceName, now: &Sysctls) -> BTreeMap<String, String> {
    let keys = plan.steps().iter().filter_map(|planned| match &planned.step {
        Step::WriteSysctl { place: Place::Host, key, .. } => Some(key),
        _ => None,
    });
    let value = |key: &str| {
        let (family, switch) = key.split_once(&format!("/conf/{name}/"))?;
        now.0.get(&format!("{family}/{switch}")).cloned()
    };
    keys.filter_map(|key| Some((key.clone(), value(key)?))).collect()
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
