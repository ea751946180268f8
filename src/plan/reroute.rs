//! How the service networks of a running sandbox follow the configuration: routes are added and taken away, and nothing else
//! of the service path is touched. Connections over routes that stay do not notice.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{
    Plan, PlannedStep, Undo,
    add_route::put_route,
    refusal::AttachPlanError,
    step::{Place, Step},
};
use crate::{
    inventory::{Route, SandboxFacts},
    types::InterfaceName,
};

/// What a sandbox has now, as far as its service networks are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// What was done for the sandbox.
    pub plan: &'a Plan,
    /// The interface that leads to the service networks.
    pub interface: &'a InterfaceName,
    /// The networks that it leads to.
    pub cidrs: &'a [IpNet],
}

/// A change of service networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reroute {
    /// The networks afterwards.
    pub cidrs: Vec<IpNet>,
    /// What is to be recorded before anything is done: everything done so far and everything to be added.
    pub during: Plan,
    /// The routes to add.
    pub add: Plan,
    /// What takes the others away.
    pub remove: Vec<Step>,
    /// What is to be recorded afterwards.
    pub after: Plan,
}

/// Whether [`reroute`] has anything to do. Asks for no look at the sandbox.
pub fn differs(served: Served, wanted: &[IpNet]) -> bool {
    let (has, wanted) = has_and_wants(served, wanted);
    has != wanted
}

/// The networks that the sandbox has and those that it shall have. Networks of a family that its service path does not have
/// are left out: they need an address, which only a new attachment gives.
fn has_and_wants(served: Served, wanted: &[IpNet]) -> (BTreeSet<IpNet>, BTreeSet<IpNet>) {
    let has: BTreeSet<IpNet> = served.cidrs.iter().map(IpNet::trunc).collect();
    let wanted = wanted.iter().map(IpNet::trunc);
    let wanted = wanted.filter(|cidr| template(served, &has, cidr).is_some()).collect();
    (has, wanted)
}

/// What leads the sandbox to `wanted`; `None` when nothing is to be done.
pub fn reroute(
    served: Served,
    wanted: &[IpNet],
    sandbox: &SandboxFacts,
) -> Result<Option<Reroute>, AttachPlanError> {
    let (has, wanted) = has_and_wants(served, wanted);
    if has == wanted {
        return Ok(None);
    }
    let steps = served.plan.steps();
    let is_known = |cidr: &&IpNet| steps.iter().any(|step| leads_to(step, served) == Some(**cidr));
    let new = wanted.difference(&has).filter(|cidr| !is_known(cidr));
    let new = new.filter_map(|cidr| {
        let template = template(served, &has, cidr)?;
        Some(added(template, route_of(template)?, *cidr, sandbox))
    });
    let new = new.collect::<Result<Vec<_>, _>>()?;
    let during = Plan::new(steps.iter().cloned().chain(new).collect());
    let of = |wanted_of: &dyn Fn(IpNet) -> bool| {
        let chosen =
            during.steps().iter().filter(|step| leads_to(step, served).is_some_and(wanted_of));
        chosen.cloned().collect::<Vec<PlannedStep>>()
    };
    let remove = of(&|cidr| has.contains(&cidr) && !wanted.contains(&cidr));
    let add = of(&|cidr| wanted.contains(&cidr) && !has.contains(&cidr));
    let after = during.steps().iter().filter(|step| !remove.contains(step)).cloned().collect();
    Ok(Some(Reroute {
        cidrs: wanted.into_iter().collect(),
        add: Plan::new(add),
        remove: remove.iter().filter_map(taken_away).collect(),
        after: Plan::new(after),
        during,
    }))
}

/// The service network that a step leads to, if that is what it does.
fn leads_to(planned: &PlannedStep, served: Served) -> Option<IpNet> {
    let route = route_of(planned)?;
    let ours = route.is_ours() && route.is_main() && route.interface == *served.interface;
    (ours && route.to.prefix_len() > 0).then_some(route.to)
}

fn route_of(planned: &PlannedStep) -> Option<&Route> {
    match &planned.step {
        Step::AddRoute { place: Place::Sandbox, route } => Some(route),
        _ => None,
    }
}

/// A step that leads to a network of the same family: whatever it needs is there.
fn template<'a>(
    served: Served<'a>,
    has: &BTreeSet<IpNet>,
    cidr: &IpNet,
) -> Option<&'a PlannedStep> {
    served.plan.steps().iter().find(|step| {
        leads_to(step, served)
            .is_some_and(|to| has.contains(&to) && to.addr().is_ipv6() == cidr.addr().is_ipv6())
    })
}

fn added(
    template: &PlannedStep,
    route: &Route,
    to: IpNet,
    sandbox: &SandboxFacts,
) -> Result<PlannedStep, AttachPlanError> {
    put_route(sandbox, Route { to, ..route.clone() }, |route| match &template.undo {
        Undo::By(_) => Undo::by(Step::DeleteRoute { place: Place::Sandbox, route: route.clone() }),
        goes_along => goes_along.clone(),
    })
}

fn taken_away(planned: &PlannedStep) -> Option<Step> {
    if let Undo::By(step) = &planned.undo {
        return Some((**step).clone());
    }
    Some(Step::DeleteRoute { place: Place::Sandbox, route: route_of(planned)?.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        inventory::{Hop, Ipv6, SeenRoute},
        types::{KernelText, NetnsIdentity, NetnsSource},
    };

    fn cidrs(text: &str) -> Vec<IpNet> {
        text.split(' ').filter(|word| !word.is_empty()).map(|word| word.parse().unwrap()).collect()
    }

    fn route(to: &str, interface: &str) -> Route {
        Route {
            to: to.parse().unwrap(),
            via: Some("169.254.1.1".parse().unwrap()),
            interface: KernelText::new(interface),
            source: Some("169.254.96.7".parse().unwrap()),
            onlink: true,
            metric: 0,
            protocol: Route::PROTOCOL,
            table: Route::MAIN,
            other: Vec::new(),
        }
    }

    fn step(to: &str, interface: &str, undo: Undo) -> PlannedStep {
        PlannedStep::new(
            Step::AddRoute { place: Place::Sandbox, route: route(to, interface) },
            undo,
        )
    }

    /// A veth with a service network, and a default route over the device.
    fn plan() -> Plan {
        let default = step("0.0.0.0/0", "net1", Undo::with("goes with net1"));
        Plan::new(vec![step("10.96.0.0/12", "svc0", Undo::with("goes with vfh1")), default])
    }

    fn sandbox(routes: Vec<SeenRoute>) -> SandboxFacts {
        let source = NetnsSource::Pid(1);
        let netns = NetnsIdentity { cookie: 1, source };
        let (names, macs) = (BTreeSet::new(), BTreeSet::new());
        SandboxFacts { netns, names, macs, routes, tables: BTreeSet::new(), ipv6: Ipv6::On }
    }

    fn changed(plan: &Plan, has: &str, wants: &str, routes: Vec<SeenRoute>) -> Option<Reroute> {
        let interface = "svc0".parse().unwrap();
        let has = cidrs(has);
        let served = Served { plan, interface: &interface, cidrs: &has };
        reroute(served, &cidrs(wants), &sandbox(routes)).unwrap()
    }

    #[test]
    fn nothing_to_do_is_nothing() {
        assert_eq!(changed(&plan(), "10.96.0.0/12", "10.96.0.0/12", Vec::new()), None);
        assert_eq!(changed(&plan(), "10.96.0.0/12", "10.96.0.1/12", Vec::new()), None);
    }

    #[test]
    fn another_order_and_another_family_are_no_difference() {
        let plan = plan();
        let interface = "svc0".parse().unwrap();
        let has = cidrs("10.96.0.0/12 10.112.0.0/16");
        let served = Served { plan: &plan, interface: &interface, cidrs: &has };
        assert!(!differs(served, &cidrs("fd00:96::/108 10.112.0.0/16 10.96.0.0/12")));
        assert!(differs(served, &cidrs("10.112.0.0/16")));
    }

    #[test]
    fn what_stays_is_in_no_step() {
        let change =
            changed(&plan(), "10.96.0.0/12", "10.96.0.0/12 10.112.0.0/16", Vec::new()).unwrap();
        let added = step("10.112.0.0/16", "svc0", Undo::with("goes with vfh1"));
        assert_eq!(change.add.steps(), [added]);
        assert_eq!(change.remove, []);
        assert_eq!(change.during, change.after);
    }

    #[test]
    fn after_a_crash_the_same_is_done_and_recorded_once() {
        let first = changed(&plan(), "10.96.0.0/12", "10.112.0.0/16", Vec::new());
        // The record of what is being done was written, the end was not.
        let of_the_dead = first.clone().map(|change| change.during).unwrap_or_default();
        // Its route is there, and must not be taken for the sandbox's own.
        let hop = Hop {
            via: Some("169.254.1.1".parse().unwrap()),
            interface: KernelText::new("svc0"),
            onlink: true,
        };
        let there = vec![SeenRoute {
            to: "10.112.0.0/16".parse().unwrap(),
            metric: 0,
            source: None,
            protocol: Route::PROTOCOL,
            table: Route::MAIN,
            hops: vec![hop],
        }];
        assert_eq!(changed(&of_the_dead, "10.96.0.0/12", "10.112.0.0/16", there), first);
    }

    #[test]
    fn what_was_added_can_be_taken_away_again() {
        let wants = "10.96.0.0/12 10.112.0.0/16";
        let change = changed(&plan(), "10.96.0.0/12", wants, Vec::new()).unwrap();
        let back = changed(&change.after, wants, "10.96.0.0/12", Vec::new()).unwrap();
        let route = route("10.112.0.0/16", "svc0");
        assert_eq!(back.remove, [Step::DeleteRoute { place: Place::Sandbox, route }]);
        assert_eq!(back.after, plan());
    }

    #[test]
    fn the_last_network_of_a_family_leaves_none_to_copy() {
        let none = changed(&plan(), "10.96.0.0/12", "", Vec::new()).unwrap();
        assert_eq!(none.cidrs, []);
        assert_eq!(changed(&none.after, "", "10.96.0.0/12", Vec::new()), None);
    }

    #[test]
    fn a_route_that_none_can_win_over_is_refused() {
        let plan = Plan::new(vec![step("fd00:96::/108", "svc0", Undo::with("goes with vfh1"))]);
        let interface = "svc0".parse().unwrap();
        let has = cidrs("fd00:96::/108");
        let served = Served { plan: &plan, interface: &interface, cidrs: &has };
        let to = "fd00:98::/108".parse().unwrap();
        let first = SeenRoute {
            to,
            metric: 1,
            protocol: 3,
            table: Route::MAIN,
            source: None,
            hops: Vec::new(),
        };
        let refused = reroute(served, &[to], &sandbox(vec![first.clone()]));
        assert_eq!(refused, Err(AttachPlanError::NoMetric(Box::new(first))));
    }
}
