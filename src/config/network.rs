//! `[[network]]`: what a sandbox may have.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{
    Allow, Blocks, InterfaceSysctls, Pool, PoolKind, RouteKey, StaticRoute, allow, attributes,
    bind, blocks, bond, host_device, interface_sysctl, made, rdma, route,
    section::{Named, Section},
};
use crate::types::{
    AddressRange, InterfaceNaming, LINK_LOCAL, MemoryLock, Name, Port, Segment, VfAttribute,
    VfAttributes, is_link_local, kept_by_network, special_purpose,
};

/// A device of a pool, and how it is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the file by itself")]
pub struct Network {
    /// The pool that the device comes from.
    pub pool: Name,
    /// Its name in the sandbox, when the request does not choose one. Of a device without an interface, what requests and answers call it.
    pub interface: InterfaceNaming,
    /// Its MTU in bytes; `None` leaves the device's own.
    pub mtu: Option<u32>,
    /// What the card shall enforce; only what is set is touched.
    pub attributes: VfAttributes,
    /// Attributes that a driver may refuse without failing the attachment.
    pub best_effort: BTreeSet<VfAttribute>,
    /// One address is taken from the ranges of each family.
    pub addresses: Vec<AddressRange>,
    /// How the cluster's nodes share them; `None` where all are this node's.
    pub blocks: Option<Blocks>,
    /// Next hops of the default route, one of a family at most.
    pub gateway: Vec<IpAddr>,
    /// Whether the sandbox's default route goes out here.
    pub default_route: bool,
    /// The metric of that; `None` wins over whatever the sandbox has.
    pub metric: Option<u32>,
    /// Other ways out.
    pub routes: Vec<StaticRoute>,
    /// Whether what came in by the interface is answered by it.
    pub source_routing: bool,
    /// How the interface behaves.
    pub sysctls: InterfaceSysctls,
    /// Whether what routers on the wire advertise gives the interface addresses and routes.
    pub accept_ra: bool,
    /// Whether the wire is asked who has an address before a sandbox uses it.
    pub conflict_check: bool,
    /// Whether sandbox and host reach each other over the service path, where the card would cut them off.
    pub host_access: bool,
    /// Whether its containers may use the RDMA device behind the interface, which every network namespace shares.
    pub rdma: bool,
    /// How much memory its containers may lock; `None` leaves that to their runtime.
    pub memlock: Option<MemoryLock>,
    /// What a request may choose.
    pub allow: Allow,
}

impl Network {
    /// What `address` is, if no sandbox is given it though a range has it.
    pub fn reserved(&self, address: IpNet) -> Option<&'static str> {
        let is_gateway = self.gateway.contains(&address.addr());
        if is_gateway { Some("the gateway") } else { kept_by_network(address) }
    }
}

impl Network {
    /// What makes each of its routes one of its own, its default routes too.
    pub fn route_keys(&self) -> impl Iterator<Item = RouteKey> {
        let gateways = self.gateway.iter().filter(|_| self.default_route);
        let defaults =
            gateways.map(|gateway| (route::everything(gateway.is_ipv6()), None, self.metric));
        defaults.chain(self.routes.iter().map(StaticRoute::key))
    }

    /// The wires that it is on, one at each of `ports`. A tag that the card may refuse may be missing on what is sent.
    pub fn segments(&self, ports: impl IntoIterator<Item = Port>) -> Vec<Segment> {
        let vlan = self.attributes.vlan;
        let untagged = vlan.is_none() || self.best_effort.contains(&VfAttribute::Vlan);
        let at = |port| {
            let plain = untagged.then(|| Segment::untagged(port));
            plain.into_iter().chain(vlan.map(|vlan| Segment::tagged(port, vlan)))
        };
        ports.into_iter().flat_map(at).collect()
    }

    /// Whether frames of the two may meet, wherever their devices are.
    pub fn may_share_wire(&self, other: &Self) -> bool {
        let tag = |network: &Self| {
            network.attributes.vlan.filter(|vlan| vlan.id != 0).map(|vlan| vlan.id)
        };
        tag(self) == tag(other)
    }
}

pub(super) fn read(section: &mut Section, pools: &[Named<Pool>]) -> Named<Network> {
    let said = bind::said(section);
    let name = section.required("name");
    let pool: Option<Name> = section.required("pool");
    let interface: Option<InterfaceNaming> = section.required("interface");
    let mtu = mtu(section);
    let attributes = attributes::read(section);
    let given_by = check_pool(section, pool.as_ref(), attributes, pools);
    let best_effort = section.list("best_effort").into_iter().collect();
    let addresses: Vec<AddressRange> = section.list("addresses");
    let shared = section.table("cluster", blocks::read);
    let gateway: Vec<IpAddr> = section.list("gateway");
    let default_route = section.optional("default_route").unwrap_or(false);
    check_addresses(section, &addresses, &gateway);
    check_gateways(section, &gateway, &addresses, default_route);
    let (metric, source_routing) = routing(section, default_route, &addresses);
    let routes = section.tables("routes", route::read);
    let (at, routes): (Vec<usize>, Vec<StaticRoute>) =
        routes.into_iter().enumerate().filter_map(|(at, route)| Some((at, route?))).unzip();
    let sysctls = section.table("sysctls", interface_sysctl::read).unwrap_or_default();
    interface_sysctl::check(section, &sysctls, addresses.iter().any(AddressRange::is_ipv6));
    let accept_ra = section.optional("accept_ra").unwrap_or(false);
    let conflict_check = conflict_check(section, &addresses);
    let host_access = section.optional("host_access").unwrap_or(false);
    let rdma = rdma::read(section, given_by);
    let memlock = section.optional("memlock");
    let allow = section.table("allow", allow::read).unwrap_or_default();
    let kind = given_by.map(|pool| pool.kind);
    check_kind(section, kind, attributes, conflict_check, allow.mac);
    if given_by.is_some_and(|pool| pool.vfio.is_some()) {
        bind::check_network(section, &said, allow.addresses);
    }
    let value = pool.zip(interface).map(|(pool, interface)| Network {
        pool,
        interface,
        mtu,
        attributes,
        best_effort,
        addresses,
        blocks: shared,
        gateway,
        default_route,
        metric,
        routes,
        source_routing,
        sysctls,
        accept_ra,
        conflict_check,
        host_access,
        rdma,
        memlock,
        allow,
    });
    if let Some(network) = &value {
        route::check(section, &network.routes, &at, &network.addresses);
        let keys: Vec<RouteKey> = network.route_keys().collect();
        route::refuse_twice(section, &network.routes, &at, &keys);
    }
    Named { name, value }
}

fn mtu(section: &mut Section) -> Option<u32> {
    let mtu = section.optional("mtu");
    if let Some(mtu) = mtu.filter(|mtu| !(68..=65535).contains(mtu)) {
        section.problem("mtu", format!("expected 68 to 65535 bytes, found {mtu}"));
    }
    mtu
}

/// What devices of this kind cannot do.
fn check_kind(
    section: &mut Section,
    kind: Option<PoolKind>,
    attributes: VfAttributes,
    conflict_check: bool,
    opens_mac: bool,
) {
    match kind {
        Some(PoolKind::HostDevice) if opens_mac => host_device::refuse_mac(section),
        Some(PoolKind::Bond) => bond::check_network(section, attributes.link_state, opens_mac),
        Some(PoolKind::Made(upper)) => made::check(section, upper, conflict_check, opens_mac),
        Some(PoolKind::Vlan) => made::check_vlan(section, attributes, opens_mac),
        _ => {}
    }
}

/// Whether the wire is asked before an address is given.
fn conflict_check(section: &mut Section, addresses: &[AddressRange]) -> bool {
    let check = section.optional("conflict_check").unwrap_or(false);
    if check && addresses.is_empty() {
        section.problem("conflict_check", "needs addresses");
    }
    check
}

/// The metric of the default route, and whether answers go where they were asked.
fn routing(
    section: &mut Section,
    default_route: bool,
    addresses: &[AddressRange],
) -> (Option<u32>, bool) {
    let metric = route::metric(section);
    if metric.is_some() && !default_route {
        section.problem("metric", "needs default_route = true; a route of routes has its own");
    }
    let source_routing = section.optional("source_routing").unwrap_or(false);
    if source_routing && addresses.is_empty() {
        section.problem("source_routing", "needs addresses: it is by them that answers are known");
    }
    (metric, source_routing)
}

/// A pool that is wrong in itself is still a pool: whoever names it made no mistake. Gives the pool that is right.
fn check_pool<'a>(
    section: &mut Section,
    wanted: Option<&Name>,
    attributes: VfAttributes,
    pools: &'a [Named<Pool>],
) -> Option<&'a Pool> {
    let wanted = wanted?;
    let Some(pool) = pools.iter().find(|pool| pool.name.as_ref() == Some(wanted)) else {
        let names = pools.iter().filter_map(|pool| pool.name.as_ref());
        let known: Vec<&str> = names.map(Name::as_str).collect();
        let message = format!("there is no pool \"{wanted}\" (pools: {})", known.join(", "));
        section.problem("pool", message);
        return None;
    };
    let pool = pool.value.as_ref()?;
    let has_card = matches!(pool.kind, PoolKind::Sriov | PoolKind::Bond | PoolKind::Vlan);
    if !has_card && attributes != VfAttributes::default() {
        let message = "vlan needs kind = \"sriov\", \"bond\" or \"vlan\"; rates, spoof_check, link_state and trust one of the first two";
        section.problem("pool", message);
    }
    Some(pool)
}

fn check_addresses(section: &mut Section, ranges: &[AddressRange], gateways: &[IpAddr]) {
    for range in ranges {
        if let Some(what) = special_purpose(range) {
            section.problem(
                "addresses",
                format!("{range} has {what} addresses, which nobody is given"),
            );
        } else if !range.has_any_but(gateways) {
            let message = "has only what nobody is given: the gateway, the network's own or the broadcast address";
            section.problem("addresses", format!("{range} {message}"));
        }
    }
}

fn check_gateways(
    section: &mut Section,
    gateways: &[IpAddr],
    addresses: &[AddressRange],
    default_route: bool,
) {
    for ipv6 in [false, true] {
        if gateways.iter().filter(|gateway| gateway.is_ipv6() == ipv6).count() > 1 {
            section.problem("gateway", "more than one of a family");
        }
    }
    for gateway in gateways {
        let itself = IpNet::from(*gateway);
        let special = special_purpose(&itself.into()).filter(|what| *what != LINK_LOCAL);
        let networks = addresses.iter().filter_map(AddressRange::network);
        let near: Vec<IpNet> = networks.filter(|network| network.contains(gateway)).collect();
        // The anycast address of IPv6 is one that routers have.
        let on = |network: &IpNet| IpNet::new(*gateway, network.prefix_len()).ok();
        let mut kept = near.iter().filter_map(on).filter_map(kept_by_network);
        if let Some(what) = special {
            section.problem("gateway", format!("{gateway} is {what}: no router has it"));
        } else if let Some(what) = kept.next().filter(|_| !gateway.is_ipv6()) {
            section.problem("gateway", format!("{gateway} is {what}: no router has it"));
        } else if near.is_empty() && !(gateway.is_ipv6() && is_link_local(*gateway)) {
            section.problem("gateway", format!("{gateway} is on no network of addresses"));
        }
    }
    if default_route && gateways.is_empty() {
        section.problem("default_route", "needs a gateway");
    }
}
