//! What concerns a VF's card rather than its interface: what it shall enforce, and the way back of the device.

use std::collections::BTreeSet;

use super::{
    PlannedStep, Undo,
    chosen::ChosenNetwork,
    step::{ConfigureVf, ReturnDevice, Step},
};
use crate::{
    inventory::{Device, Link},
    types::{AdminMac, MacAddress, VfAttribute, VfAttributes},
};

/// The way back of a device whose interface is to be `baseline` then.
pub(super) fn returning(chosen: &ChosenNetwork, device: &Device, baseline: Link) -> ReturnDevice {
    ReturnDevice {
        device: device.candidate.address,
        inside: (&chosen.intent.interface).into(),
        baseline,
        sysctls: device.sysctls.clone(),
        features: device.features.clone(),
        reset: chosen.intent.pool.reset,
        driver: device.driver.clone(),
        whole: None,
    }
}

/// What the card shall enforce: all that must be in one step, and each that may be refused in one of its own.
pub(super) fn card(
    device: &Device,
    wanted: VfAttributes,
    best_effort: &BTreeSet<VfAttribute>,
) -> Vec<PlannedStep> {
    let strict = best_effort.iter().fold(wanted, |left, which| left.without(*which));
    let forgiven = VfAttribute::ALL.into_iter().filter(|which| best_effort.contains(which));
    let forgiven = forgiven.map(|which| (wanted.only(which), true));
    let parts = [(strict, false)].into_iter().chain(forgiven);
    let step = |(part, forgiving): (VfAttributes, bool)| {
        let mac = match part.mac {
            Some(AdminMac::Assigned(mac)) => Some(mac),
            Some(AdminMac::Unassigned) | None => None,
        };
        configure(device, part, mac, forgiving)
    };
    parts.filter(|(part, _)| !part.is_empty()).map(step).collect()
}

fn configure(
    device: &Device,
    attributes: VfAttributes,
    interface_mac: Option<MacAddress>,
    forgiving: bool,
) -> PlannedStep {
    let prior = device.attributes.unwrap_or_default().masked_by(&attributes);
    let step = |attributes, interface_mac: Option<MacAddress>, permanent_mac| {
        Step::ConfigureVf(ConfigureVf {
            device: device.candidate.clone(),
            attributes,
            interface_mac,
            permanent_mac,
            forgiving,
            driver: device.driver.clone(),
        })
    };
    let (prior_mac, permanent) =
        (interface_mac.and(device.link.mac), interface_mac.and(device.link.permanent_mac));
    PlannedStep::new(
        step(attributes, interface_mac, None),
        Undo::by(step(prior, prior_mac, permanent)),
    )
}
