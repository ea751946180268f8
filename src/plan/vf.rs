//! The steps that give a VF with its interface: what its card shall enforce, then the move. What the interface has inside is another's affair.

use super::{
    PlannedStep, Undo,
    card::{card, returning},
    chosen::ChosenNetwork,
    step::{Step, TakeDevice},
};
use crate::{
    inventory::{Device, Link},
    types::{AdminMac, OwnerTag, VfAttributes},
};

/// The card is set before the device leaves the host: afterwards nothing in the sandbox can be seen half set up.
pub(super) fn vf(chosen: &ChosenNetwork, device: &Device, tag: OwnerTag) -> Vec<PlannedStep> {
    let network = &chosen.intent.network;
    let wanted =
        VfAttributes { mac: chosen.intent.mac.map(AdminMac::Assigned), ..network.attributes };
    let mut steps = card(device, wanted, &network.best_effort);
    // A MAC that the card was told to enforce goes back with the card's attributes, after the device.
    let mac = device.link.mac.filter(|_| wanted.mac.is_none());
    let baseline = Link { mac, ..device.link.clone() };
    steps.push(PlannedStep::new(
        Step::TakeDevice(TakeDevice {
            device: device.candidate.address,
            index: device.link.index,
            name: chosen.intent.interface.clone(),
            mtu: network.mtu.filter(|mtu| *mtu != device.link.mtu),
            tag,
        }),
        Undo::by(Step::ReturnDevice(returning(chosen, device, baseline))),
    ));
    steps
}
