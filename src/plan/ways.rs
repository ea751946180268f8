//! The ways out over the interface of one network: its default route, the routes that it asks for, and that what came in by it is
//! answered by it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    PlannedStep, Undo,
    add_route::gone_with,
    chosen::{AttachInput, ChosenNetwork},
    refusal::AttachPlanError,
    service_path,
    step::{Place, Step},
};
use crate::{
    config::{StaticRoute, everything},
    inventory::{Route, RoutingRule, SandboxFacts},
};

/// The first table of those that we choose: far from what people and other tools write down.
const FIRST_TABLE: u32 = 11800;

/// Whoever puts networks into the sandbox later may have a default route of its own, and takes one of its metric for a failure (docker 28,
/// `programGateway` of libnetwork; halves of the world in place of one route are a failure too, `checkRouteConflict`).
const BEHIND: u32 = 1025;

/// The steps, for network number `position`, whose interface is up and has its addresses.
pub(super) fn steps(
    input: &AttachInput,
    position: usize,
    chosen: &ChosenNetwork,
) -> Result<Vec<PlannedStep>, AttachPlanError> {
    let network = &chosen.intent.network;
    let mut steps = Vec::new();
    for gateway in gateways(chosen).filter(|_| network.default_route) {
        let to = everything(gateway.is_ipv6());
        let metric = network.metric.or(input.more_to_come.then_some(BEHIND));
        let route = Route { via: Some(gateway), ..plain(chosen, to, Route::MAIN) };
        steps.push(put(input, chosen, route, metric)?);
    }
    for wanted in asked_for(chosen) {
        refuse_foreign_source(chosen, wanted)?;
        let table = wanted.table.unwrap_or(Route::MAIN);
        let behind = input.more_to_come && wanted.to.prefix_len() == 0 && table == Route::MAIN;
        let metric = wanted.metric.or(behind.then_some(BEHIND));
        steps.push(put(input, chosen, as_asked(chosen, wanted, table), metric)?);
    }
    if network.source_routing {
        steps.extend(by_source(input, position, chosen));
    }
    Ok(steps)
}

/// What leaves from an address of the network is looked up in a table of its own, which has what the network has of the main one.
fn by_source(input: &AttachInput, position: usize, chosen: &ChosenNetwork) -> Vec<PlannedStep> {
    let table = table_of(input, position);
    let undo = || gone_with(&chosen.intent.interface);
    let add = |route: Route| {
        let metric = Route::usual_metric(route.to.addr().is_ipv6());
        let route = Route { metric, ..route };
        PlannedStep::new(Step::AddRoute { place: Place::Sandbox, route }, undo())
    };
    let near = chosen.addresses.iter().filter(|own| own.prefix_len() < own.max_prefix_len());
    let near =
        near.map(|own| Route { source: Some(own.addr()), ..plain(chosen, own.trunc(), table) });
    let asked = asked_for(chosen).filter(|wanted| wanted.table.is_none());
    let asked = asked.filter(|wanted| wanted.metric.is_none() && wanted.to.prefix_len() > 0);
    let asked = asked.map(|wanted| as_asked(chosen, wanted, table));
    let out = gateways(chosen).map(|gateway| Route {
        via: Some(gateway),
        ..plain(chosen, everything(gateway.is_ipv6()), table)
    });
    let mut steps: Vec<PlannedStep> = near.chain(asked).chain(out).map(add).collect();
    if chosen.intent.network.host_access {
        // The host is reached over the pair, whoever it speaks to.
        steps.extend(service_path::to_host(input, &chosen.addresses, table));
    }
    steps.extend(chosen.addresses.iter().map(|own| {
        let rule = RoutingRule { from: own.addr().into(), table, priority: RoutingRule::PRIORITY };
        PlannedStep::new(Step::AddRule(rule.clone()), Undo::by(Step::DeleteRule(rule)))
    }));
    steps
}

/// The table of network number `position`: one that nobody has a route in.
fn table_of(input: &AttachInput, position: usize) -> u32 {
    let by_source = |chosen: &&ChosenNetwork| chosen.intent.network.source_routing;
    let before = input.networks.iter().take(position).filter(by_source).count();
    let is_named = |table: u32| {
        let mut routes = input.networks.iter().flat_map(|chosen| &chosen.intent.network.routes);
        routes.any(|route| route.table == Some(table))
    };
    let free = |table: &u32| !input.sandbox.tables.contains(table) && !is_named(*table);
    (FIRST_TABLE..).filter(free).nth(before).unwrap_or(FIRST_TABLE)
}

/// Adds a route of the network with this metric, or with one by which it wins over all that are there.
fn put(
    input: &AttachInput,
    chosen: &ChosenNetwork,
    route: Route,
    metric: Option<u32>,
) -> Result<PlannedStep, AttachPlanError> {
    let metric = match metric {
        Some(metric) => named(input.sandbox, &route, metric)?,
        None if route.is_main() => {
            let metric = input.sandbox.metric_to_win(&route.to);
            let metric =
                metric.map_err(|first| AttachPlanError::NoMetric(Box::new(first.clone())))?;
            before_ours(input, &route, metric)
        }
        None => Route::usual_metric(route.to.addr().is_ipv6()),
    };
    let route = Route { metric, ..route };
    let undo = gone_with(&chosen.intent.interface);
    Ok(PlannedStep::new(Step::AddRoute { place: Place::Sandbox, route }, undo))
}

/// IPv6 makes one route of two with one metric, and takes ours away with the other.
fn named(sandbox: &SandboxFacts, route: &Route, metric: u32) -> Result<u32, AttachPlanError> {
    let same = sandbox.routes.iter().find(|there| {
        route.is_main()
            && there.to == route.to
            && there.metric == metric
            && route.to.addr().is_ipv6()
    });
    same.map_or(Ok(metric), |there| Err(AttachPlanError::MetricTaken(Box::new(there.clone()))))
}

/// The metric by which a route wins over those of other networks of the lease, too.
fn before_ours(input: &AttachInput, route: &Route, metric: u32) -> u32 {
    let keys = input.networks.iter().flat_map(|chosen| chosen.intent.network.route_keys());
    let same = keys.filter(|(to, table, _)| *to == route.to && table.is_none());
    let named = same.filter_map(|(.., metric)| metric).min();
    let ipv6 = route.to.addr().is_ipv6();
    named.filter(|_| ipv6).map_or(metric, |named| metric.min(named.saturating_sub(1).max(1)))
}

fn refuse_foreign_source(
    chosen: &ChosenNetwork,
    wanted: &StaticRoute,
) -> Result<(), AttachPlanError> {
    let has = |source: &IpAddr| chosen.addresses.iter().any(|own| own.addr() == *source);
    match wanted.source.filter(|source| !has(source)) {
        None => Ok(()),
        Some(source) => {
            let (network, to) = (chosen.intent.name.clone(), wanted.to);
            Err(AttachPlanError::ForeignSource { network, to, from: source })
        }
    }
}

/// The gateways that the interface has an address to speak to from: a request may have chosen one family only.
fn gateways(chosen: &ChosenNetwork) -> impl Iterator<Item = IpAddr> {
    let all = chosen.intent.network.gateway.iter().copied();
    all.filter(|gateway| speaks(chosen, gateway.is_ipv6()))
}

fn asked_for(chosen: &ChosenNetwork) -> impl Iterator<Item = &StaticRoute> {
    let all = chosen.intent.network.routes.iter();
    all.filter(|route| speaks(chosen, route.to.addr().is_ipv6()))
}

fn speaks(chosen: &ChosenNetwork, ipv6: bool) -> bool {
    chosen.addresses.iter().any(|address| address.addr().is_ipv6() == ipv6)
}

fn as_asked(chosen: &ChosenNetwork, wanted: &StaticRoute, table: u32) -> Route {
    let StaticRoute { to, via, source, onlink, .. } = *wanted;
    Route { via, source, onlink, ..plain(chosen, to, table) }
}

/// A route on the link.
fn plain(chosen: &ChosenNetwork, to: IpNet, table: u32) -> Route {
    Route {
        to,
        via: None,
        interface: (&chosen.intent.interface).into(),
        source: None,
        onlink: false,
        metric: 0,
        protocol: Route::PROTOCOL,
        table,
        other: Vec::new(),
    }
}
