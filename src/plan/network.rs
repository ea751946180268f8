//! The steps for one network: the device, then its addresses, routes and announcement.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    PlannedStep, Undo,
    chosen::{AttachInput, ChosenDevice, ChosenNetwork},
    ipv6::{self, Speaks},
    mac::{interface_mac, made_mac},
    refusal::AttachPlanError,
    step::{ConfigureVf, CreateMacvlan, OwnLink, Place, ReturnDevice, Step, TakeDevice},
};
use crate::{
    inventory::{Device, Link, Route, SandboxFacts},
    types::{AdminMac, InterfaceName, MacAddress, OwnerTag, VfAttribute, VfAttributes},
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
        ChosenDevice::Macvlan(parent) => {
            let mac = made_mac(input.serial, position, chosen);
            vec![macvlan(chosen, parent, mac, tag.clone())]
        }
    };
    steps.extend(bring_up(input.sandbox, chosen, tag));
    let has_mac = interface_mac(input.serial, position, chosen).is_some();
    let asks = has_mac && chosen.intent.network.conflict_check;
    steps.extend(addressing(input, chosen, asks)?);
    if has_mac && !chosen.addresses.is_empty() {
        let addresses = chosen.addresses.iter().map(IpNet::addr).collect();
        let name = chosen.intent.interface.clone();
        let why = "neighbours learn the next owner by themselves".to_owned();
        steps.push(PlannedStep::new(Step::Announce { name, addresses }, Undo::Never(why)));
    }
    Ok(steps)
}

/// The card is set before the device leaves the host: afterwards nothing in the sandbox can be seen half set up.
fn vf(chosen: &ChosenNetwork, device: &Device, tag: OwnerTag) -> Vec<PlannedStep> {
    let network = &chosen.intent.network;
    let wanted =
        VfAttributes { mac: chosen.intent.mac.map(AdminMac::Assigned), ..network.attributes };
    let strict = network.best_effort.iter().fold(wanted, |left, which| left.without(*which));
    let mut steps = Vec::new();
    if !strict.is_empty() {
        let mac = chosen.intent.mac.filter(|_| strict.mac.is_some());
        steps.push(configure(device, strict, mac, false));
    }
    let best_effort =
        VfAttribute::ALL.into_iter().filter(|which| network.best_effort.contains(which));
    steps.extend(best_effort.map(|which| wanted.only(which)).filter(|one| !one.is_empty()).map(
        |one| {
            let mac = chosen.intent.mac.filter(|_| one.mac.is_some());
            configure(device, one, mac, true)
        },
    ));
    steps.push(PlannedStep::new(
        Step::TakeDevice(TakeDevice {
            device: device.candidate.address,
            index: device.link.index,
            name: chosen.intent.interface.clone(),
            mtu: network.mtu.filter(|mtu| *mtu != device.link.mtu),
            tag,
        }),
        Undo::by(Step::ReturnDevice(ReturnDevice {
            device: device.candidate.address,
            inside: (&chosen.intent.interface).into(),
            baseline: Link {
                // A MAC that the card was told to enforce goes back with the card's attributes, after the device.
                mac: device.link.mac.filter(|_| wanted.mac.is_none()),
                ..device.link.clone()
            },
            sysctls: device.sysctls.clone(),
            features: device.features.clone(),
            reset: chosen.intent.pool.reset,
            driver: device.driver.clone(),
        })),
    ));
    steps
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

fn macvlan(chosen: &ChosenNetwork, parent: &Link, mac: MacAddress, tag: OwnerTag) -> PlannedStep {
    let name = chosen.intent.interface.clone();
    let create = CreateMacvlan {
        parent: parent.name.clone(),
        parent_index: parent.index,
        name: name.clone(),
        mac,
        mtu: chosen.intent.network.mtu,
    };
    let delete = Step::DeleteLink(OwnLink { place: Place::Sandbox, name, mac, tag });
    PlannedStep::new(Step::CreateMacvlan(create), Undo::by(delete))
}

/// Up last: whom the interface believes is settled before it hears anybody.
fn bring_up(sandbox: &SandboxFacts, chosen: &ChosenNetwork, tag: OwnerTag) -> Vec<PlannedStep> {
    let name = &chosen.intent.interface;
    let speaks = if chosen.intent.network.accept_ra {
        Speaks::AsTold
    } else if chosen.addresses.iter().any(|address| address.addr().is_ipv6()) {
        Speaks::Given
    } else {
        Speaks::LinkLocal
    };
    let mut steps = ipv6::steps(Place::Sandbox, name, sandbox.ipv6, speaks, &gone_with(name));
    let up = Step::LinkUp { place: Place::Sandbox, name: name.clone(), tag };
    steps.push(PlannedStep::new(up, gone_with(name)));
    steps
}

/// With `asks`, the wire is asked once it can be, and before anybody could hear that an address has a new owner.
fn addressing(
    input: &AttachInput,
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
    if chosen.intent.network.default_route {
        let gateways = chosen.intent.network.gateway.iter();
        let usable = gateways.filter(|gateway| speaks_to(chosen, **gateway));
        for gateway in usable {
            steps.push(default_route(input, name, *gateway)?);
        }
    }
    Ok(steps)
}

/// Whether the interface has an address to speak to this gateway from: a request may have chosen one family only.
fn speaks_to(chosen: &ChosenNetwork, gateway: IpAddr) -> bool {
    chosen.addresses.iter().any(|address| address.addr().is_ipv6() == gateway.is_ipv6())
}

/// Whoever puts networks into the sandbox later may have a default route of its own, and takes one of its metric for a failure (docker 28,
/// `programGateway` of libnetwork; halves of the world in place of one route are a failure too, `checkRouteConflict`).
const BEHIND: u32 = 1025;

fn default_route(
    input: &AttachInput,
    name: &InterfaceName,
    gateway: IpAddr,
) -> Result<PlannedStep, AttachPlanError> {
    let route = Route {
        to: everything(gateway.is_ipv6()),
        via: Some(gateway),
        interface: name.into(),
        source: None,
        onlink: false,
        metric: if input.more_to_come { BEHIND } else { 0 },
        protocol: Route::PROTOCOL,
        other: Vec::new(),
    };
    if input.more_to_come {
        return Ok(PlannedStep::new(
            Step::AddRoute { place: Place::Sandbox, route },
            gone_with(name),
        ));
    }
    put_route(input.sandbox, route, |_| gone_with(name))
}

/// Adds a route in the sandbox, with the metric by which it wins over all that are there. They stay as they are.
pub(super) fn put_route(
    sandbox: &SandboxFacts,
    route: Route,
    undo: impl FnOnce(&Route) -> Undo,
) -> Result<PlannedStep, AttachPlanError> {
    let metric = sandbox.metric_to_win(&route.to);
    let metric = metric.map_err(|first| AttachPlanError::NoMetric(Box::new(first.clone())))?;
    let route = Route { metric, ..route };
    let undo = undo(&route);
    Ok(PlannedStep::new(Step::AddRoute { place: Place::Sandbox, route }, undo))
}

pub(super) fn gone_with(name: &InterfaceName) -> Undo {
    Undo::with(format!("goes with {name}"))
}

/// `0.0.0.0/0` or `::/0`.
fn everything(ipv6: bool) -> IpNet {
    if ipv6 { ipnet::Ipv6Net::default().into() } else { ipnet::Ipv4Net::default().into() }
}
