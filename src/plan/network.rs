//! The steps for one network: the device, then its addresses, routes and announcement.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{
    PlannedStep, Undo,
    add_route::gone_with,
    bond,
    chosen::{AttachInput, ChosenDevice, ChosenNetwork},
    ipv6::{self, Speaks},
    mac::{group, interface_mac, made_mac},
    refusal::AttachPlanError,
    step::{CreateIpvlan, CreateMacvlan, CreateVlan, OwnLink, Place, Step},
    vf::vf,
    vfio, ways,
    whole_device::whole,
};
use crate::{
    inventory::{Ipv6, Link},
    types::{OwnerTag, Upper},
};

/// The steps for network number `position`, in order.
pub(super) fn steps(
    input: &AttachInput,
    position: usize,
    chosen: &ChosenNetwork,
) -> Result<Vec<PlannedStep>, AttachPlanError> {
    let tag = OwnerTag::new(input.id.clone());
    let mut steps = match &chosen.device {
        ChosenDevice::Vf(device) => vf(chosen, device, tag.clone()),
        ChosenDevice::Whole(device) => vec![whole(chosen, device, tag.clone())],
        // The rest is of interfaces.
        ChosenDevice::Vfio(device, only) => return Ok(vfio::steps(chosen, device, only.as_ref())),
        ChosenDevice::Made(upper, parent) => vec![made(input, position, *upper, parent, &tag)],
        ChosenDevice::Bond(members) => bond::steps(input, position, chosen, members, &tag),
    };
    steps.extend(bring_up(input, position, tag));
    let has_mac = match &chosen.device {
        ChosenDevice::Made(upper, _) => upper.has_neighbours(),
        _ => interface_mac(input.serial, position, chosen).is_some(),
    };
    let asks = has_mac && chosen.intent.network.conflict_check;
    steps.extend(addressing(input, position, chosen, asks)?);
    if has_mac && !chosen.addresses.is_empty() {
        let addresses = chosen.addresses.iter().map(IpNet::addr).collect();
        let name = chosen.intent.interface.clone();
        let why = "neighbours learn the next owner by themselves".to_owned();
        steps.push(PlannedStep::new(Step::Announce { name, addresses }, Undo::Never(why)));
    }
    Ok(steps)
}

/// The device of network number `position`, made on `parent`.
fn made(
    input: &AttachInput,
    position: usize,
    upper: Upper,
    parent: &Link,
    tag: &OwnerTag,
) -> PlannedStep {
    let chosen = &input.networks[position];
    let (name, mtu) = (chosen.intent.interface.clone(), chosen.intent.network.mtu);
    let (on, parent_index) = (parent.name.clone(), parent.index);
    let own = made_mac(input.serial, position, chosen);
    let mac = parent.mac.filter(|_| upper.has_parents_mac()).unwrap_or(own);
    let (create, group) = match upper {
        Upper::Macvlan(mode) => {
            let name = name.clone();
            let create = CreateMacvlan { parent: on, parent_index, name, mac, mtu, mode };
            (Step::CreateMacvlan(create), None)
        }
        Upper::Ipvlan(mode) => {
            let (name, group) = (name.clone(), group(input.serial, position));
            let create = CreateIpvlan { parent: on, parent_index, name, group, mode, mtu };
            (Step::CreateIpvlan(create), Some(group))
        }
        Upper::Vlan(vlan) => {
            let (name, group) = (name.clone(), group(input.serial, position));
            let create = CreateVlan { parent: on, parent_index, name, group, vlan, mtu };
            (Step::CreateVlan(create), Some(group))
        }
    };
    let (place, tag) = (Place::Sandbox, tag.clone());
    PlannedStep::new(create, Undo::by(Step::DeleteLink(OwnLink { place, name, mac, tag, group })))
}

/// Up last: whom the interface believes is settled before it hears anybody.
fn bring_up(input: &AttachInput, position: usize, tag: OwnerTag) -> Vec<PlannedStep> {
    let Some(chosen) = input.networks.get(position) else { return Vec::new() };
    let name = &chosen.intent.interface;
    let speaks = if chosen.intent.network.accept_ra {
        Speaks::AsTold
    } else if chosen.addresses.iter().any(|address| address.addr().is_ipv6()) {
        Speaks::Given
    } else {
        Speaks::LinkLocal
    };
    let ipv6 = input.sandbox.ipv6;
    let mut steps = ipv6::steps(Place::Sandbox, name, ipv6, speaks, &gone_with(name));
    steps.extend(behaviour(input, position, chosen));
    let up = Step::LinkUp { place: Place::Sandbox, name: name.clone(), tag };
    steps.push(PlannedStep::new(up, gone_with(name)));
    steps
}

/// What the network says of its interface. Where two interfaces are on one subnet each answers for itself alone, unless it says
/// otherwise: by itself Linux answers by any for the addresses of all.
fn behaviour(input: &AttachInput, position: usize, chosen: &ChosenNetwork) -> Vec<PlannedStep> {
    let name = &chosen.intent.interface;
    let apart = [("arp_ignore", 1), ("arp_announce", 2), ("rp_filter", 2)];
    let shares = shares_subnet(input, position, chosen);
    let apart = apart.iter().filter(|_| shares);
    let mut set: BTreeMap<String, i64> =
        apart.map(|(switch, value)| (format!("ipv4/{switch}"), *value)).collect();
    set.extend(chosen.intent.network.sysctls.clone());
    let has_ipv6 = input.sandbox.ipv6 != Ipv6::Absent;
    set.retain(|switch, _| has_ipv6 || !switch.starts_with("ipv6/"));
    let step = |(switch, value): (String, i64)| {
        let (family, switch) = switch.split_once('/')?;
        let key = format!("{family}/conf/{name}/{switch}");
        let step = Step::WriteSysctl { place: Place::Sandbox, key, value: value.to_string() };
        Some(PlannedStep::new(step, gone_with(name)))
    };
    set.into_iter().filter_map(step).collect()
}

/// Whether another interface is on a subnet of this one's IPv4 addresses: another network of the lease, or one that is there, as far as
/// routes tell that were looked at.
fn shares_subnet(input: &AttachInput, position: usize, chosen: &ChosenNetwork) -> bool {
    const BY_KERNEL: u8 = 2;
    let own: Vec<IpNet> =
        chosen.addresses.iter().filter(|own| own.addr().is_ipv4()).copied().collect();
    let meets = |other: &IpNet| {
        own.iter().any(|own| own.contains(&other.network()) || other.contains(&own.network()))
    };
    let others = input.networks.iter().enumerate().filter(|(other, _)| *other != position);
    let mut given = others.flat_map(|(_, other)| &other.addresses);
    let there = input.sandbox.routes.iter();
    let mut there = there.filter(|route| {
        route.protocol == BY_KERNEL
            && route.to.prefix_len() > 0
            && route.hops.iter().any(|hop| hop.via.is_none())
    });
    given.any(meets) || there.any(|route| meets(&route.to))
}

/// With `asks`, the wire is asked once it can be, and before anybody could hear that an address has a new owner.
fn addressing(
    input: &AttachInput,
    position: usize,
    chosen: &ChosenNetwork,
    asks: bool,
) -> Result<Vec<PlannedStep>, AttachPlanError> {
    let name = &chosen.intent.interface;
    let mut steps = Vec::new();
    if asks {
        let addresses = chosen.addresses.iter().map(IpNet::addr).collect();
        let step = Step::ProbeAddresses { name: name.clone(), addresses };
        steps.push(PlannedStep::new(step, Undo::Never("a question changes nothing".to_owned())));
    }
    let add = |address: &IpNet| {
        PlannedStep::new(
            Step::AddAddress { name: name.clone(), address: *address },
            gone_with(name),
        )
    };
    steps.extend(chosen.addresses.iter().map(add));
    steps.extend(ways::steps(input, position, chosen)?);
    Ok(steps)
}
