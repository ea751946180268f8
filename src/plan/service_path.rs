//! The steps of the service path: the way from the sandbox into the host's stack and back.
//!
//! In the sandbox each service network has a route over one fixed next hop, with the source address pinned; neighbours on
//! both ends are permanent, so nothing is resolved. On the host a route leads back to that one address, and sources that
//! leave by any other interface are masqueraded, so that a reply always returns through the host.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{
    PlannedStep, Undo,
    add_route::{gone_with, put_route},
    chosen::{AttachInput, ChosenService},
    ipv6::{self, Speaks},
    mac::{MacRole, local_mac},
    refusal::{AttachPlanError, refuse_taken},
    step::{CreateVeth, OwnLink, Place, Step},
};
use crate::{
    config::ServicePath,
    inventory::{Route, SandboxFacts},
    types::{InterfaceName, OwnerTag},
};

/// Of the host's routes to addresses of networks with `host_access`.
const HOST_ACCESS_METRIC: u32 = 118;

/// The steps, in order.
pub(super) fn steps(
    input: &AttachInput,
    service: &ChosenService,
) -> Result<Vec<PlannedStep>, AttachPlanError> {
    match service {
        ChosenService::Existing { interface, cidrs } => existing(input.sandbox, interface, cidrs),
        ChosenService::Veth { interface, cidrs, sources, masqueraded, mtu } => {
            refuse_taken(input.sandbox, interface)?;
            let pair = pair_of(input.serial, interface, *mtu);
            let mut steps = make_pair(&pair, masqueraded, OwnerTag::new(input.id.clone()));
            steps.extend(before_a_carrier(input, &pair, sources));
            steps.extend(bring_up(&pair, &OwnerTag::new(input.id.clone())));
            for source in sources {
                steps.extend(in_sandbox(input.sandbox, &pair, cidrs, *source)?);
                steps.extend(on_host(&pair, *source, Route::usual_metric(source.is_ipv6())));
            }
            steps.extend(host_access(input, &pair, cidrs, sources)?);
            Ok(steps)
        }
    }
}

fn pair_of(serial: u64, inside: &InterfaceName, mtu: Option<u32>) -> CreateVeth {
    CreateVeth {
        host: InterfaceName::ours(serial),
        host_mac: local_mac(serial, MacRole::ServiceHost),
        inside: inside.clone(),
        inside_mac: local_mac(serial, MacRole::ServiceSandbox),
        mtu,
    }
}

fn make_pair(pair: &CreateVeth, masqueraded: &BTreeSet<IpNet>, tag: OwnerTag) -> Vec<PlannedStep> {
    let delete = Step::DeleteLink(OwnLink {
        place: Place::Host,
        name: pair.host.clone(),
        mac: pair.host_mac,
        tag,
        group: None,
    });
    vec![
        PlannedStep::new(
            Step::InstallMasquerade { sources: masqueraded.clone() },
            Undo::with("stays until the last service path is gone"),
        ),
        PlannedStep::new(Step::CreateVeth(pair.clone()), Undo::by(delete)),
    ]
}

/// How both ends behave. A pair has a carrier once its end in the sandbox is up: what that sends before the host's end is told
/// whom not to believe would make the host follow it (a router advertisement, a redirect).
fn before_a_carrier(
    input: &AttachInput,
    pair: &CreateVeth,
    sources: &[IpAddr],
) -> Vec<PlannedStep> {
    let undo = gone_with(&pair.host);
    let (on_host, inside) = if sources.iter().any(IpAddr::is_ipv6) {
        (Speaks::Unaddressed, Speaks::Given)
    } else {
        (Speaks::Nothing, Speaks::Nothing)
    };
    let mut steps = ipv6::steps(Place::Host, &pair.host, input.host_ipv6, on_host, &undo);
    steps.extend(ipv6::steps(Place::Sandbox, &pair.inside, input.sandbox.ipv6, inside, &undo));
    let switch = |place, name: &InterfaceName, switch: &str, value: &str| {
        let key = format!("ipv4/conf/{name}/{switch}");
        PlannedStep::new(Step::WriteSysctl { place, key, value: value.to_owned() }, undo.clone())
    };
    steps.push(switch(Place::Host, &pair.host, "forwarding", "1"));
    if sources.iter().any(IpAddr::is_ipv4) {
        steps.push(switch(Place::Host, &pair.host, "accept_redirects", "0"));
        // The host refuses from an address of its own choice, which the sandbox may reach by another interface: where reverse
        // paths are filtered strictly the refusal would be dropped, and the client would wait. The kernel takes the looser of
        // this value and `all`'s.
        steps.push(switch(Place::Sandbox, &pair.inside, "rp_filter", "2"));
    }
    steps
}

/// Both ends, each with our tag.
fn bring_up(pair: &CreateVeth, tag: &OwnerTag) -> [PlannedStep; 2] {
    [(Place::Host, &pair.host), (Place::Sandbox, &pair.inside)].map(|(place, name)| {
        let up = Step::LinkUp { place, name: name.clone(), tag: tag.clone() };
        PlannedStep::new(up, gone_with(&pair.host))
    })
}

fn in_sandbox(
    sandbox: &SandboxFacts,
    pair: &CreateVeth,
    cidrs: &[IpNet],
    source: IpAddr,
) -> Result<Vec<PlannedStep>, AttachPlanError> {
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
    let wanted = cidrs.iter().filter(|cidr| cidr.addr().is_ipv6() == ipv6);
    for cidr in wanted {
        steps.push(over_veth(sandbox, pair, cidr.trunc(), source)?);
    }
    Ok(steps)
}

fn over_veth(
    sandbox: &SandboxFacts,
    pair: &CreateVeth,
    to: IpNet,
    source: IpAddr,
) -> Result<PlannedStep, AttachPlanError> {
    let route = Route {
        to,
        via: Some(ServicePath::next_hop(source.is_ipv6())),
        interface: (&pair.inside).into(),
        source: Some(source),
        onlink: true,
        metric: 0,
        protocol: Route::PROTOCOL,
        table: Route::MAIN,
        other: Vec::new(),
    };
    put_route(sandbox, route, |_| gone_with(&pair.host))
}

/// The way between the host's own addresses and those of networks that ask for it. What the host has for services is reached
/// over the service path already.
fn host_access(
    input: &AttachInput,
    pair: &CreateVeth,
    cidrs: &[IpNet],
    sources: &[IpAddr],
) -> Result<Vec<PlannedStep>, AttachPlanError> {
    let open = input.networks.iter().filter(|chosen| chosen.intent.network.host_access);
    let addresses: Vec<IpAddr> =
        open.flat_map(|chosen| &chosen.addresses).map(IpNet::addr).collect();
    let mut steps = Vec::new();
    for source in sources {
        let same = |address: &&IpAddr| address.is_ipv6() == source.is_ipv6();
        if !addresses.iter().any(|address| same(&address)) {
            continue;
        }
        let own = input.host_addresses.iter().filter(same);
        let own = own.filter(|address| !cidrs.iter().any(|cidr| cidr.contains(*address)));
        for own in own {
            steps.push(over_veth(input.sandbox, pair, (*own).into(), *source)?);
        }
        // A metric of its own: the host's own route to the same address wins.
        let back = addresses.iter().filter(same);
        steps.extend(back.flat_map(|address| on_host(pair, *address, HOST_ACCESS_METRIC)));
    }
    Ok(steps)
}

/// The same way to the host's own addresses, in another table, for what is sent from `addresses`.
pub(super) fn to_host(input: &AttachInput, addresses: &[IpNet], table: u32) -> Vec<PlannedStep> {
    let Some(ChosenService::Veth { interface, sources, .. }) = &input.service else {
        return Vec::new();
    };
    let is_wanted =
        |host: &&IpAddr| addresses.iter().any(|address| address.addr().is_ipv6() == host.is_ipv6());
    let routes = input.host_addresses.iter().filter(is_wanted).filter_map(|host| {
        let ipv6 = host.is_ipv6();
        sources.iter().any(|source| source.is_ipv6() == ipv6).then(|| Route {
            to: (*host).into(),
            via: Some(ServicePath::next_hop(ipv6)),
            interface: interface.into(),
            source: None,
            onlink: true,
            metric: Route::usual_metric(ipv6),
            protocol: Route::PROTOCOL,
            table,
            other: Vec::new(),
        })
    });
    let undo = gone_with(&InterfaceName::ours(input.serial));
    let add = |route| Step::AddRoute { place: Place::Sandbox, route };
    routes.map(|route| PlannedStep::new(add(route), undo.clone())).collect()
}

fn on_host(pair: &CreateVeth, source: IpAddr, metric: u32) -> Vec<PlannedStep> {
    let neighbour = Step::AddNeighbour {
        place: Place::Host,
        name: pair.host.clone(),
        address: source,
        mac: pair.inside_mac,
    };
    let back = Route {
        to: source.into(),
        via: None,
        interface: (&pair.host).into(),
        source: None,
        onlink: false,
        metric,
        protocol: Route::PROTOCOL,
        table: Route::MAIN,
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
    let step = |cidr: &IpNet| {
        let ipv6 = cidr.addr().is_ipv6();
        let Some(gateway) = sandbox.gateway(interface, ipv6) else {
            let family = if ipv6 { 6 } else { 4 };
            let interface = interface.clone();
            return Err(AttachPlanError::NoGateway { interface, family, cidr: *cidr });
        };
        let route = Route {
            to: cidr.trunc(),
            via: gateway.via,
            interface: interface.into(),
            source: None,
            onlink: gateway.onlink,
            metric: 0,
            protocol: Route::PROTOCOL,
            table: Route::MAIN,
            other: Vec::new(),
        };
        put_route(sandbox, route, |route| {
            Undo::by(Step::DeleteRoute { place: Place::Sandbox, route: route.clone() })
        })
    };
    cidrs.iter().map(step).collect()
}
