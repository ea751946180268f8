//! Whether what a step gave is still there, judged by what one look saw. Asks nothing and mends nothing.

use ipnet::IpNet;

use super::{
    Plan, PlannedStep, Undo,
    given::given,
    inside,
    recognise::{device_in, is_there},
    step::{
        BindVfio, ConfigureVf, CreateBond, CreateIpvlan, CreateMacvlan, CreateVeth, CreateVlan,
        JoinBond, Place, Step, TakeDevice,
    },
};
use crate::{
    inventory::{Hop, Link, Route, Scene, SeenRoute, Sight, VFIO, Whereabouts},
    types::{InterfaceName, VfAttribute},
};

/// Whether a step holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// It does.
    Yes,
    /// It does not, for this reason; doing it again mends it.
    No(String),
    /// It does not, and vfhook cannot or must not mend it.
    Lost(String),
}

/// Whether `planned`, a step of `plan`, holds.
pub fn holds(plan: &Plan, planned: &PlannedStep, scene: &Scene) -> Held {
    let seen = Seen { plan, scene };
    match &planned.step {
        Step::TakeDevice(step) => seen.device(step),
        Step::BindVfio(step) => seen.bound(step),
        Step::ConfigureVf(step) => seen.attributes(step),
        Step::CreateVeth(step) => seen.pair(step, &planned.undo),
        Step::CreateMacvlan(CreateMacvlan { name, .. })
        | Step::CreateIpvlan(CreateIpvlan { name, .. })
        | Step::CreateVlan(CreateVlan { name, .. })
        | Step::CreateBond(CreateBond { name, .. }) => seen.there(Place::Sandbox, name),
        Step::JoinBond(step) => seen.joined(step),
        Step::LinkUp { place, name, .. } => seen.up(*place, name),
        Step::AddAddress { name, address } => seen.address(name, *address),
        Step::AddRoute { place, route } => seen.route(*place, route),
        Step::AddNeighbour { place, name, address, mac } => {
            let neighbours = &seen.sight(*place).neighbours;
            let has = |index| neighbours.contains(&(index, *address, *mac));
            seen.on(*place, name, has, || format!("{name} lacks neighbour {address}"))
        }
        Step::AddRule(rule) if !scene.sandbox.rules.contains(rule) => {
            Held::No(format!("the rule for what is sent from {} is gone in the sandbox", rule.from))
        }
        // What a sandbox is set to inside is its own affair once it runs.
        Step::WriteSysctl { place: Place::Host, key, value } => seen.sysctl(key, value),
        Step::InstallMasquerade { .. } if !scene.masquerades => {
            Held::No("the nft table of ours does not masquerade its sources".to_owned())
        }
        Step::Translate(step) => inside::lacks(plan, step, scene).map_or(Held::Yes, Held::No),
        _ => Held::Yes,
    }
}

/// The way to the network that an address is of, where the interface has the address and is up, and the way is gone all the same: the
/// kernel makes it with the address and not again.
pub(super) fn lost_network(
    plan: &Plan,
    scene: &Scene,
    name: &InterfaceName,
    address: IpNet,
) -> Option<Route> {
    let link = Seen { plan, scene }.named(Place::Sandbox, name).filter(|link| link.up)?;
    let to = address.trunc();
    let is_network = to.prefix_len() < to.max_prefix_len();
    let has_it = scene.sandbox.addresses.contains(&(link.index, address));
    let leads = |hop: &Hop| hop.via.is_none() && hop.interface == link.name;
    let is_there =
        |seen: &SeenRoute| seen.is_main() && seen.to == to && seen.hops.iter().any(leads);
    let is_lost = is_network && has_it && !scene.sandbox.routes.iter().any(is_there);
    let ipv6 = to.addr().is_ipv6();
    is_lost.then(|| Route {
        to,
        via: None,
        interface: name.into(),
        source: None,
        onlink: false,
        metric: if ipv6 { KERNELS_METRIC_6 } else { 0 },
        protocol: Route::PROTOCOL,
        table: Route::MAIN,
        other: Vec::new(),
    })
}

/// The metric of the routes that IPv6 makes with addresses (`IP6_RT_PRIO_ADDRCONF`).
const KERNELS_METRIC_6: u32 = 256;

/// A look beside the plan that says what was to be seen.
struct Seen<'a> {
    plan: &'a Plan,
    scene: &'a Scene,
}

impl<'a> Seen<'a> {
    fn sight(&self, place: Place) -> &'a Sight {
        match place {
            Place::Host => &self.scene.host,
            Place::Sandbox => &self.scene.sandbox,
        }
    }

    fn link(&self, place: Place, name: &InterfaceName) -> Option<&'a Link> {
        given(self.plan, self.scene, place, name)
    }

    fn there(&self, place: Place, name: &InterfaceName) -> Held {
        match self.link(place, name) {
            Some(_) => Held::Yes,
            None => Held::No(format!("{name} is gone {}", place.words())),
        }
    }

    fn up(&self, place: Place, name: &InterfaceName) -> Held {
        match self.named(place, name) {
            Some(link) if !link.up => Held::No(format!("{name} is down {}", place.words())),
            _ => Held::Yes,
        }
    }

    /// The link that was given under this name and still has it. That there is none, whoever made it says; and one that a
    /// sandbox calls otherwise it has taken into its own hands.
    fn named(&self, place: Place, name: &InterfaceName) -> Option<&'a Link> {
        self.link(place, name).filter(|link| link.name == *name)
    }

    /// Whether something holds of the interface of this name.
    fn on(
        &self,
        place: Place,
        name: &InterfaceName,
        has: impl FnOnce(u32) -> bool,
        lacks: impl FnOnce() -> String,
    ) -> Held {
        match self.named(place, name) {
            Some(link) if !has(link.index) => Held::No(lacks()),
            _ => Held::Yes,
        }
    }

    fn address(&self, name: &InterfaceName, address: IpNet) -> Held {
        if let Some(lost) = lost_network(self.plan, self.scene, name, address) {
            return Held::No(format!("{name} lacks the route to its network {}", lost.to));
        }
        let has = |index| self.scene.sandbox.addresses.contains(&(index, address));
        self.on(Place::Sandbox, name, has, || format!("{name} lacks address {address}"))
    }

    /// Both ends, called and addressed as they were made: neighbours and rules name them so.
    fn pair(&self, step: &CreateVeth, undo: &Undo) -> Held {
        let known = |link: &&Link| match undo {
            Undo::By(undo) => matches!(&**undo, Step::DeleteLink(own) if own.is(link)),
            _ => false,
        };
        let host = self.sight(Place::Host).links.iter().find(known);
        let host = host.or_else(|| self.link(Place::Host, &step.host));
        let inside = self.link(Place::Sandbox, &step.inside);
        let ends = [
            (host, Place::Host, &step.host, step.host_mac),
            (inside, Place::Sandbox, &step.inside, step.inside_mac),
        ];
        for (link, place, name, mac) in ends {
            let wrong = match link {
                None => "is gone".to_owned(),
                Some(link) if link.name != *name => format!("is called {}", link.name),
                Some(link) if link.mac != Some(mac) => "has another MAC address".to_owned(),
                Some(_) => continue,
            };
            return Held::No(format!("{name} {wrong} {}", place.words()));
        }
        Held::Yes
    }

    /// Whoever gave the link says that it is gone.
    fn joined(&self, step: &JoinBond) -> Held {
        let bond = self.link(Place::Sandbox, &step.bond).map(|bond| bond.index);
        match self.link(Place::Sandbox, &step.name) {
            Some(link) if bond.is_some() && link.master != bond => {
                Held::No(format!("{} is no link of bond {}", step.name, step.bond))
            }
            _ => Held::Yes,
        }
    }

    fn device(&self, step: &TakeDevice) -> Held {
        if device_in(self.scene, step).is_some() {
            return Held::Yes;
        }
        match self.scene.elsewhere.get(&step.device) {
            Some(Whereabouts::Home(_)) => {
                Held::No("missing: it is on the host, and its sandbox lives".to_owned())
            }
            Some(Whereabouts::Driverless) => Held::Lost(
                "driverless: no driver is bound to it, so it is in no sandbox".to_owned(),
            ),
            Some(Whereabouts::Gone) => Held::Lost("missing: its card no longer has it".to_owned()),
            Some(Whereabouts::Away) | None => {
                Held::Lost("missing: it is no longer in its sandbox".to_owned())
            }
        }
    }

    /// One that another driver has is not bound again: a container that was told of it has a node that may be another device's by then.
    fn bound(&self, step: &BindVfio) -> Held {
        match self.scene.drivers.get(&step.device) {
            Some(Some(driver)) if driver == VFIO => Held::Yes,
            Some(Some(driver)) => Held::Lost(format!("missing: it is bound to {driver}")),
            Some(None) => Held::Lost("driverless: no driver is bound to it".to_owned()),
            None => Held::Lost("missing: its card no longer has it".to_owned()),
        }
    }

    /// What the card enforces is the tenant's wall. What was only wished for may never have been taken.
    fn attributes(&self, step: &ConfigureVf) -> Held {
        let card = self.scene.cards.get(&step.device.address).filter(|_| !step.forgiving);
        let differing: Vec<VfAttribute> =
            card.map(|card| step.attributes.differing(card)).unwrap_or_default();
        if differing.is_empty() {
            return Held::Yes;
        }
        let names: Vec<String> = differing.iter().map(ToString::to_string).collect();
        Held::No(format!("drifted: {} changed on the card", names.join(", ")))
    }

    fn route(&self, place: Place, route: &Route) -> Held {
        let name: Option<InterfaceName> =
            route.interface.as_str().and_then(|name| name.parse().ok());
        let called = name.as_ref().and_then(|name| self.named(place, name)).map(|link| &link.name);
        let Some(called) = called.filter(|_| route.is_ours()) else { return Held::Yes };
        if self.sight(place).routes.iter().any(|seen| is_there(seen, route, called)) {
            return Held::Yes;
        }
        Held::No(format!(
            "the route to {} by {} is gone {}",
            route.to,
            route.interface,
            place.words()
        ))
    }

    fn sysctl(&self, key: &str, value: &str) -> Held {
        match self.scene.host.sysctls.get(key) {
            Some(found) if found != value => Held::No(format!("net/{key} is {found}, not {value}")),
            // Its interface is gone: whoever made that says so.
            _ => Held::Yes,
        }
    }
}
