//! A device of the host goes into a sandbox whole, and comes home with all that the host had on it.

use super::{
    Plan, PlannedStep, Undo,
    chosen::ChosenNetwork,
    step::{ReturnDevice, Step, TakeDevice, WholeHome},
};
use crate::{
    inventory::WholeDevice,
    types::{KernelText, OwnerTag, PciAddress, Reset},
};

impl Plan {
    /// What a device that is given is called on the host.
    pub fn name_at_home(&self, device: PciAddress) -> Option<&KernelText> {
        self.steps().iter().find_map(|planned| match &planned.undo {
            Undo::By(undo) => match &**undo {
                Step::ReturnDevice(home) if home.device == device => Some(&home.baseline.name),
                _ => None,
            },
            _ => None,
        })
    }
}

/// The one step; what the kernel takes off an interface that leaves is in its undo.
pub(super) fn whole(chosen: &ChosenNetwork, device: &WholeDevice, tag: OwnerTag) -> PlannedStep {
    let (name, link) = (&chosen.intent.interface, &device.link);
    let take = TakeDevice {
        device: device.address,
        index: link.index,
        name: name.clone(),
        mtu: chosen.intent.network.mtu.filter(|mtu| *mtu != link.mtu),
        tag: tag.clone(),
    };
    let home = ReturnDevice {
        device: device.address,
        inside: name.into(),
        baseline: link.clone(),
        sysctls: device.sysctls.clone(),
        features: device.features.clone(),
        reset: Reset::None,
        driver: device.driver.clone(),
        whole: Some(Box::new(WholeHome { kept: device.kept.clone(), tag })),
    };
    PlannedStep::new(Step::TakeDevice(take), Undo::by(Step::ReturnDevice(home)))
}
