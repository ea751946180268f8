//! The plan that gives a sandbox what it is to have. Every choice was made before; this lays out the steps.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    Plan,
    chosen::{AttachInput, ChosenDevice, ChosenNetwork, ChosenService},
    inside, network,
    refusal::{AttachPlanError, refuse_taken},
    service_path,
};
use crate::inventory::Ipv6;

/// Lays out the steps. The service path comes first, so that undoing it comes last: by then a dying namespace
/// has taken the veth pair along.
pub fn attach(input: &AttachInput) -> Result<Plan, AttachPlanError> {
    refuse_ipv6_without(input)?;
    refuse_twice(input)?;
    let mut steps = Vec::new();
    if let Some(service) = &input.service {
        steps.extend(service_path::steps(input, service)?);
    }
    if let Some(view) = &input.view {
        steps.extend(inside::steps(view));
    }
    for (position, chosen) in input.networks.iter().enumerate() {
        for part in chosen.each() {
            if !matches!(part.device, ChosenDevice::Vfio(..)) {
                refuse_taken(input.sandbox, &part.intent.interface)?;
            }
            refuse_mtu(part)?;
        }
        steps.extend(network::steps(input, position, chosen)?);
    }
    Ok(Plan::new(steps))
}

/// A link of a bond has a name that nobody chose: another network may have been given it.
fn refuse_twice(input: &AttachInput) -> Result<(), AttachPlanError> {
    let mut names = BTreeSet::new();
    let mut parts = input.networks.iter().flat_map(ChosenNetwork::each);
    match parts.find(|part| !names.insert(&part.intent.interface)) {
        Some(twice) => Err(AttachPlanError::NameTwice(twice.intent.interface.clone())),
        None => Ok(()),
    }
}

/// The kernel refuses a macvlan that is longer than its parent, and says no more than that; a VF that is longer than its
/// physical function is refused by some drivers, and drops packets with others.
fn refuse_mtu(chosen: &ChosenNetwork) -> Result<(), AttachPlanError> {
    let (device, limit) = match &chosen.device {
        ChosenDevice::Vf(device) | ChosenDevice::Vfio(device, _) => {
            (&device.candidate.pf_name, device.pf_mtu)
        }
        // What its driver passes the kernel says.
        ChosenDevice::Whole(device) => (&device.link.name, None),
        ChosenDevice::Made(_, parent) => (&parent.name, Some(parent.mtu)),
        // Its links are asked each.
        ChosenDevice::Bond(_) => return Ok(()),
    };
    match chosen.intent.network.mtu.zip(limit) {
        Some((mtu, limit)) if mtu > limit => {
            let (network, device) = (chosen.intent.name.clone(), device.to_string());
            Err(AttachPlanError::MtuTooHigh { network, mtu, device, limit })
        }
        _ => Ok(()),
    }
}

fn refuse_ipv6_without(input: &AttachInput) -> Result<(), AttachPlanError> {
    if input.host_ipv6 != Ipv6::Absent {
        return Ok(());
    }
    let has =
        |chosen: &&ChosenNetwork| chosen.addresses.iter().any(|address| address.addr().is_ipv6());
    if let Some(chosen) = input.networks.iter().find(has) {
        return Err(AttachPlanError::NoIpv6(format!("network {}", chosen.intent.name)));
    }
    match &input.service {
        Some(ChosenService::Veth { sources, .. }) if sources.iter().any(IpAddr::is_ipv6) => {
            Err(AttachPlanError::NoIpv6("the service path".to_owned()))
        }
        _ => Ok(()),
    }
}
