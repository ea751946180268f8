//! The steps that make one interface of several: each link is given as a VF by itself is, then the bond is made and takes them. One
//! carries, and another takes over when its carrier is gone (`active-backup`, Linux' Documentation/networking/bonding.rst). Each keeps its
//! own MAC address, and the bond has that of the link that carries: a card takes no other from a VF that it does not trust.

use super::{
    PlannedStep, Undo,
    add_route::gone_with,
    chosen::{AttachInput, ChosenDevice, ChosenNetwork},
    mac::{group, interface_mac, made_mac},
    step::{CreateBond, JoinBond, OwnLink, Place, Step},
    vf::vf,
};
use crate::types::OwnerTag;

/// The steps that make the interface of network number `position` of `members`. A bond gives its links its own MTU, so it has one that
/// all of them had, where the network says none.
pub(super) fn steps(
    input: &AttachInput,
    position: usize,
    chosen: &ChosenNetwork,
    members: &[ChosenNetwork],
    tag: &OwnerTag,
) -> Vec<PlannedStep> {
    let devices = members.iter().filter_map(|member| match &member.device {
        ChosenDevice::Vf(device) => Some((member, device)),
        _ => None,
    });
    let mut steps: Vec<PlannedStep> =
        devices.clone().flat_map(|(member, device)| vf(member, device, tag.clone())).collect();
    let least = devices.map(|(_, device)| device.link.mtu).min().unwrap_or_default();
    let (name, group) = (chosen.intent.interface.clone(), group(input.serial, position));
    let mtu = chosen.intent.network.mtu.unwrap_or(least);
    let own = made_mac(input.serial, position, chosen);
    let undo = Step::DeleteLink(OwnLink {
        place: Place::Sandbox,
        name: name.clone(),
        mac: interface_mac(input.serial, position, chosen).unwrap_or(own),
        tag: tag.clone(),
        group: Some(group),
    });
    let create = Step::CreateBond(CreateBond { name: name.clone(), group, mtu });
    steps.push(PlannedStep::new(create, Undo::by(undo)));
    let join = |member: &ChosenNetwork| {
        let join = JoinBond { bond: name.clone(), name: member.intent.interface.clone() };
        PlannedStep::new(Step::JoinBond(join), gone_with(&name))
    };
    steps.extend(members.iter().map(join));
    steps
}
