//! The steps by which a program is given a VF to drive by itself: vfio-pci instead of the driver that makes an interface.

use super::{
    Plan, PlannedStep, Undo,
    card::{card, returning},
    chosen::ChosenNetwork,
    step::{BindVfio, Step, UnbindVfio},
};
use crate::{
    inventory::{Device, Link},
    types::{AdminMac, PciAddress, VfAttributes},
};

/// Whether `plan` gives a device to a program.
pub fn drives(plan: &Plan, device: PciAddress) -> bool {
    let is_it = |step: &Step| matches!(step, Step::BindVfio(bind) if bind.device == device);
    plan.steps().iter().any(|planned| is_it(&planned.step))
}

/// The card is set first, as for an interface. It must assign a MAC address: a program finds none of its own, and would make up one at
/// each start; so it is the one that the interface has where none is asked for. The interface itself is told nothing, since it ends.
pub(super) fn steps(
    chosen: &ChosenNetwork,
    device: &Device,
    driver_override: Option<&String>,
) -> Vec<PlannedStep> {
    let network = &chosen.intent.network;
    let mac = chosen.intent.mac.or(device.link.mac).map(AdminMac::Assigned);
    let wanted = VfAttributes { mac, ..network.attributes };
    let mut steps = card(device, wanted, &network.best_effort);
    for planned in &mut steps {
        if let Step::ConfigureVf(step) = &mut planned.step {
            step.interface_mac = None;
        }
    }
    let address = device.candidate.address;
    let name = chosen.intent.interface.clone();
    let bind = BindVfio { device: address, name, driver: device.driver.clone() };
    // A MAC address that the card assigns goes back with the card's attributes, after the device.
    let baseline = Link { mac: None, ..device.link.clone() };
    let home = returning(chosen, device, baseline);
    let unbind = UnbindVfio { driver_override: driver_override.cloned(), home };
    steps.push(PlannedStep::new(Step::BindVfio(bind), Undo::by(Step::UnbindVfio(unbind))));
    steps
}
