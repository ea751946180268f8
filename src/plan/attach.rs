//! The plan that gives a sandbox what it is to have. Every choice was made before; this lays out the steps.

use std::net::IpAddr;

use super::{
    Plan,
    chosen::{AttachInput, ChosenDevice, ChosenNetwork, ChosenService},
    network,
    refusal::{AttachPlanError, refuse_taken},
    service_path,
};
use crate::inventory::Ipv6;

/// Lays out the steps. The service path comes first, so that undoing it comes last: by then a dying namespace
/// has taken the veth pair along.
pub fn attach(input: &AttachInput) -> Result<Plan, AttachPlanError> {
    refuse_ipv6_without(input)?;
    let mut steps = Vec::new();
    if let Some(service) = &input.service {
        steps.extend(service_path::steps(input, service)?);
    }
    for (position, chosen) in input.networks.iter().enumerate() {
        if !matches!(chosen.device, ChosenDevice::Vfio(..)) {
            refuse_taken(input.sandbox, &chosen.intent.interface)?;
        }
        refuse_mtu(chosen)?;
        steps.extend(network::steps(input, position, chosen)?);
    }
    Ok(Plan::new(steps))
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
