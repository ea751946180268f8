//! The steps of the service path: the way from the sandbox into the host's stack and back.
//!
//! In the sandbox each service network has a route over one fixed next hop, with the source address pinned; neighbours on
//! both ends are permanent, so nothing is resolved. On the host a route leads back to that one address, and sources that
//! leave by any other interface are masqueraded, so that a reply always returns through the host.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{
    PlannedStep, Undo,
    attach::{AttachInput, AttachPlanError, ChosenService, MacRole, local_mac, refuse_taken},
    network::{enable_ipv6, gone_with, put_route},
    step::{CreateVeth, OwnLink, Place, ROUTE_PROTOCOL, Step},
};
use crate::{
    config::ServicePath,
    inventory::{Route, SandboxFacts},
    types::{InterfaceName, OwnerTag},
};

/// The steps, in order.
pub(super) fn steps(
    input: &AttachInput,
    service: &ChosenService,
) -> Result<Vec<PlannedStep>, AttachPlanError> {
    match service {
        ChosenService::Existing { interface, cidrs } => existing(input.sandbox, interface, cidrs),
        ChosenService::Veth { interface, cidrs, sources, masqueraded } => {
            refuse_taken(input.sandbox, interface)?;
            let pair = pair_of(input.serial, interface);
            let mut steps = make_pair(input, &pair, masqueraded);
            if input.sandbox.ipv6_disabled && sources.iter().any(IpAddr::is_ipv6) {
                steps.push(enable_ipv6(interface));
            }
            for source in sources {
                steps.extend(in_sandbox(input.sandbox, &pair, cidrs, *source));
                steps.extend(on_host(&pair, *source));
            }
            Ok(steps)
        }
    }
}

fn pair_of(serial: u64, inside: &InterfaceName) -> CreateVeth {
    CreateVeth {
        host: InterfaceName::ours(serial),
        host_mac: local_mac(serial, MacRole::ServiceHost),
        inside: inside.clone(),
        inside_mac: local_mac(serial, MacRole::ServiceSandbox),
    }
}

fn make_pair(
    input: &AttachInput,
    pair: &CreateVeth,
    masqueraded: &BTreeSet<IpNet>,
) -> Vec<PlannedStep> {
    let tag = OwnerTag::new(input.id.clone());
    let delete = Step::DeleteLink(OwnLink {
        place: Place::Host,
        name: pair.host.clone(),
        mac: pair.host_mac,
        tag: tag.clone(),
    });
    let forwarding = Step::WriteSysctl {
        place: Place::Host,
        key: format!("ipv4/conf/{}/forwarding", pair.host),
        value: "1".to_owned(),
    };
    vec![
        PlannedStep::new(
            Step::InstallMasquerade { sources: masqueraded.clone() },
            Undo::with("stays until the last service path is gone"),
        ),
        PlannedStep::new(Step::CreateVeth(pair.clone()), Undo::by(delete)),
        PlannedStep::new(
            Step::LinkUp { place: Place::Sandbox, name: pair.inside.clone(), tag },
            gone_with(&pair.host),
        ),
        PlannedStep::new(forwarding, gone_with(&pair.host)),
    ]
}

fn in_sandbox(
    sandbox: &SandboxFacts,
    pair: &CreateVeth,
    cidrs: &[IpNet],
    source: IpAddr,
) -> Vec<PlannedStep> {
    let ipv6 = source.is_ipv6();
    let next_hop = ServicePath::next_hop(ipv6);
    let name = pair.inside.clone();
    let neighbour = Step::AddNeighbour {
        place: Place::Sandbox,
        name: name.clone(),
        address: next_hop,
        mac: pair.host_mac,
    };
    let address = Step::AddAddress { name: name.clone(), address: source.into() };
    let mut steps: Vec<PlannedStep> = [address, neighbour]
        .into_iter()
        .map(|step| PlannedStep::new(step, gone_with(&pair.host)))
        .collect();
    steps.extend(cidrs.iter().filter(|cidr| cidr.addr().is_ipv6() == ipv6).map(|cidr| {
        let route = Route {
            to: cidr.trunc(),
            via: Some(next_hop),
            interface: name.clone(),
            source: Some(source),
            onlink: true,
            metric: Route::usual_metric(ipv6),
            protocol: ROUTE_PROTOCOL,
            other: Vec::new(),
        };
        put_route(sandbox, route, gone_with(&pair.host))
    }));
    steps
}

fn on_host(pair: &CreateVeth, source: IpAddr) -> Vec<PlannedStep> {
    let neighbour = Step::AddNeighbour {
        place: Place::Host,
        name: pair.host.clone(),
        address: source,
        mac: pair.inside_mac,
    };
    let back = Route {
        to: source.into(),
        via: None,
        interface: pair.host.clone(),
        source: None,
        onlink: false,
        metric: Route::usual_metric(source.is_ipv6()),
        protocol: ROUTE_PROTOCOL,
        other: Vec::new(),
    };
    [neighbour, Step::AddRoute { place: Place::Host, route: back }]
        .into_iter()
        .map(|step| PlannedStep::new(step, gone_with(&pair.host)))
        .collect()
}

/// Routes through what is there: the gateway is that of the interface's own default route.
fn existing(
    sandbox: &SandboxFacts,
    interface: &InterfaceName,
    cidrs: &[IpNet],
) -> Result<Vec<PlannedStep>, AttachPlanError> {
    if !sandbox.has(interface) {
        return Err(AttachPlanError::NoInterface(interface.clone()));
    }
    let over = |ipv6| {
        let defaults = sandbox.routes.iter().filter(|route| route.to.prefix_len() == 0);
        let mut own = defaults.filter(|route| &route.interface == interface && route.via.is_some());
        own.find(|route| route.to.addr().is_ipv6() == ipv6)
    };
    let step = |cidr: &IpNet| {
        let ipv6 = cidr.addr().is_ipv6();
        let Some(default) = over(ipv6) else {
            let family = if ipv6 { 6 } else { 4 };
            let interface = interface.clone();
            return Err(AttachPlanError::NoGateway { interface, family, cidr: *cidr });
        };
        let route = Route {
            to: cidr.trunc(),
            source: None,
            metric: Route::usual_metric(ipv6),
            protocol: ROUTE_PROTOCOL,
            other: Vec::new(),
            ..default.clone()
        };
        let delete = Step::DeleteRoute { place: Place::Sandbox, route: route.clone() };
        Ok(put_route(sandbox, route, Undo::by(delete)))
    };
    cidrs.iter().map(step).collect()
}
