//! Random hosts, sandboxes and wishes that fit together: what a planner must be right about.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use nix::errno::Errno;
use proptest::{
    collection, option,
    prelude::*,
    sample::{select, subsequence},
};
use vfhook::{
    config::{Allow, Network, Pool, PoolKind, StaticRoute, Uncounted},
    inventory::Link,
    kernel::fake::{Driver, Machine},
    request::{AttachmentIntent, NetworkIntent, ServiceIntent},
    types::{
        AdminMac, DeviceSelector, IpvlanMode, KernelText, LinkState, MacAddress, MacvlanMode,
        Reset, TranslationPlace, Upper, VfAttribute, VfAttributes, Vlan, VlanProtocol,
    },
};

use super::host::{BLUE, VFS, add_eth0, parse, with_driver};

/// One random case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    baselines: Vec<Baseline>,
    driver: Driver,
    eth0: bool,
    ipv6_disabled: bool,
    /// What the sandbox is to have.
    pub(crate) intent: AttachmentIntent,
}

/// What a VF is like before.
#[derive(Debug, Clone)]
struct Baseline {
    altnames: Vec<&'static str>,
    mtu: u32,
    up: bool,
    flags: (bool, bool),
    tx_queue_len: u32,
    alias: Option<&'static str>,
    assigned_mac: bool,
    attributes: VfAttributes,
}

impl Case {
    /// The machine, with the sandbox at [`BLUE`]; tells its cookie too.
    pub(crate) fn machine(&self) -> (Machine, u64) {
        let mut machine = with_driver(self.driver.clone(), |index, link, attributes| {
            self.baselines[index].put(index, link, attributes);
        });
        let cookie = machine.add_sandbox(BLUE);
        let sandbox = machine.sandbox(cookie).unwrap();
        if self.eth0 {
            add_eth0(sandbox);
        }
        if self.eth0 && self.ipv6_disabled {
            // Whoever made it switched IPv6 on for it alone.
            let eth0 = sandbox.link_mut("eth0").unwrap();
            eth0.sysctls.insert("ipv6/disable_ipv6".to_owned(), "0".to_owned());
        }
        sandbox.ipv6_disabled = self.ipv6_disabled;
        (machine, cookie)
    }
}

impl Baseline {
    fn put(&self, index: usize, link: &mut Link, attributes: &mut VfAttributes) {
        link.altnames =
            self.altnames.iter().map(|name| KernelText::new(format!("{name}{index}"))).collect();
        (link.mtu, link.up, link.tx_queue_len) = (self.mtu, self.up, self.tx_queue_len);
        (link.promiscuous, link.all_multicast) = self.flags;
        link.alias = self.alias.map(KernelText::new);
        *attributes = self.attributes;
        // A driver that was up once has learned what the card assigned.
        let assigned = link.mac.filter(|_| self.assigned_mac).map(AdminMac::Assigned);
        attributes.mac = assigned.or(Some(AdminMac::Unassigned));
    }
}

/// Any case.
pub(crate) fn any_case() -> impl Strategy<Value = Case> {
    let baselines = collection::vec(baseline(), VFS);
    let sandbox = (any::<bool>(), any::<bool>());
    (baselines, driver(), sandbox, networks(), (0..4_u8, any::<bool>())).prop_map(
        |(baselines, driver, (eth0, ipv6_disabled), mut networks, (service, is_inside))| {
            for network in &mut networks {
                // What the driver refuses must be forgiven, or there is nothing to undo.
                network.network.best_effort.extend(driver.refuses.keys());
                network.network.best_effort.extend(&driver.ignores);
            }
            let service = service_of(service, eth0);
            let more_to_come = false;
            let inside = is_inside.then(TranslationPlace::default);
            let intent = AttachmentIntent { networks, service, inside, more_to_come };
            Case { baselines, driver, eth0, ipv6_disabled, intent }
        },
    )
}

fn baseline() -> impl Strategy<Value = Baseline> {
    let names = subsequence(vec!["strange", "stranger", "strangest"], 0..=3);
    let mtu = prop_oneof![Just(1280), Just(1400), Just(1500), Just(9000)];
    let alias = option::of(prop_oneof![Just("a note"), Just("vfhook is not here")]);
    let looks = (mtu, any::<bool>(), any::<(bool, bool)>(), 0..2000_u32);
    (names, looks, alias, any::<bool>(), all_attributes()).prop_map(
        |(altnames, (mtu, up, flags, tx_queue_len), alias, assigned_mac, attributes)| Baseline {
            altnames,
            mtu,
            up,
            flags,
            tx_queue_len,
            alias,
            assigned_mac,
            attributes,
        },
    )
}

fn driver() -> impl Strategy<Value = Driver> {
    let some = || subsequence(VfAttribute::ALL.to_vec(), 0..=2);
    (some(), some(), any::<bool>()).prop_map(|(refuses, ignores, learns_mac_when_up)| Driver {
        refuses: refuses
            .into_iter()
            .map(|which| (which, Errno::EOPNOTSUPP))
            .collect::<BTreeMap<_, _>>(),
        ignores: ignores.into_iter().collect(),
        learns_mac_when_up,
        ..Driver::default()
    })
}

/// Every attribute but the MAC.
fn all_attributes() -> impl Strategy<Value = VfAttributes> {
    let link_state =
        prop_oneof![Just(LinkState::Auto), Just(LinkState::Enable), Just(LinkState::Disable)];
    let vlan = (0..4095_u16, 0..8_u8, any::<bool>()).prop_map(|(id, qos, outer)| Vlan {
        id,
        qos,
        protocol: if outer { VlanProtocol::Ieee8021Ad } else { VlanProtocol::Ieee8021Q },
    });
    (vlan, (0..50_u32, 50..1000_u32), any::<bool>(), link_state, any::<bool>()).prop_map(
        |(vlan, rate, spoof_check, link_state, trust)| VfAttributes {
            mac: None,
            vlan: Some(vlan),
            rate: Some(rate),
            spoof_check: Some(spoof_check),
            link_state: Some(link_state),
            trust: Some(trust),
        },
    )
}

fn some_attributes() -> impl Strategy<Value = VfAttributes> {
    (all_attributes(), subsequence(VfAttribute::ALL.to_vec(), 0..=6))
        .prop_map(|(all, without)| without.into_iter().fold(all, VfAttributes::without))
}

/// One to three networks with interfaces of their own, the first with the default route at most.
fn networks() -> impl Strategy<Value = Vec<NetworkIntent>> {
    let destinations = ["10.20.0.0/16", "fd00:20::/64", "0.0.0.0/0", "::/0"];
    let way = (select(destinations.to_vec()), any::<bool>(), any::<bool>());
    let networks = collection::vec(network(), 1..=VFS);
    (networks, any::<bool>(), collection::vec(way, 0..3)).prop_map(
        |(mut networks, default, ways)| {
            let first = networks.iter().find_map(|intent| intent.pool.kind.upper());
            for (position, intent) in networks.iter_mut().enumerate() {
                if let (true, Some(upper)) = (intent.pool.kind.is_made(), first) {
                    intent.pool.kind = PoolKind::Made(upper);
                    let asks = intent.network.conflict_check && upper.has_neighbours();
                    intent.network.conflict_check = asks;
                }
                intent.interface = parse(&format!("net{position}"));
                intent.name = parse(&format!("network-{position}"));
                let gateway = |range: &vfhook::types::AddressRange| {
                    range.nth(0).map(|address| address.addr())
                };
                let ranges = &intent.network.addresses;
                intent.network.gateway = ranges.iter().filter_map(gateway).collect();
                let has = !intent.network.gateway.is_empty();
                intent.network.default_route = default && position == 0 && has;
                // Of two routes to one network the second has a metric of its own.
                let ways = ways.iter().filter(|_| !intent.network.gateway.is_empty());
                for (number, (to, metric, table)) in ways.enumerate() {
                    let to: IpNet = parse(to);
                    let ranges = &intent.network.addresses;
                    let speaks = ranges.iter().any(|range| range.is_ipv6() == to.addr().is_ipv6());
                    let number_of = |number: usize| u32::try_from(number).unwrap();
                    let metric = metric.then(|| 50 + number_of(position * 10 + number));
                    let table = table.then(|| 300 + number_of(position));
                    let is_alone =
                        metric.is_some() || table.is_some() || position == 0 && number == 0;
                    let is_default = to.prefix_len() == 0 && intent.network.default_route;
                    if speaks && is_alone && (!is_default || metric.is_some() || table.is_some()) {
                        let gateways = intent.network.gateway.iter();
                        let via =
                            gateways.copied().find(|via| via.is_ipv6() == to.addr().is_ipv6());
                        let (onlink, source) = (false, None);
                        let route = StaticRoute { to, via, metric, table, onlink, source };
                        if !intent.network.route_keys().any(|key| key == route.key()) {
                            intent.network.routes.push(route);
                        }
                    }
                }
            }
            networks
        },
    )
}

fn network() -> impl Strategy<Value = NetworkIntent> {
    let mac = option::of((0..u64::MAX).prop_map(MacAddress::local));
    let mtu = option::of(1280..=1500_u32);
    let ranges = subsequence(vec!["192.168.0.0/24", "fd00:10::/64"], 0..=2);
    let best_effort = subsequence(VfAttribute::ALL.to_vec(), 0..=6);
    // On one parent they all must be of one kind: the sandbox's networks are made so below.
    let upper = select(vec![
        Upper::Macvlan(MacvlanMode::Bridge),
        Upper::Macvlan(MacvlanMode::Vepa),
        Upper::Ipvlan(IpvlanMode::L2),
        Upper::Ipvlan(IpvlanMode::L3),
    ]);
    ((any::<[bool; 3]>(), upper), mac, mtu, some_attributes(), ranges, best_effort).prop_map(
        |(([is_vf, host_access, by_source], upper), mac, mtu, attributes, ranges, best_effort)| {
            let (kind, pf) =
                if is_vf { (PoolKind::Sriov, "ens1f0") } else { (PoolKind::Made(upper), "lan0") };
            let selector = DeviceSelector { pf: vec![parse(pf)], ..DeviceSelector::default() };
            let network = Network {
                pool: parse("pool"),
                interface: parse("net"),
                mtu,
                attributes: if is_vf { attributes } else { VfAttributes::default() },
                best_effort: best_effort.into_iter().collect::<BTreeSet<_>>(),
                addresses: ranges.into_iter().map(parse).collect(),
                blocks: None,
                gateway: Vec::new(),
                default_route: false,
                metric: None,
                routes: Vec::new(),
                source_routing: by_source,
                sysctls: BTreeMap::new(),
                accept_ra: false,
                conflict_check: host_access,
                host_access,
                rdma: false,
                memlock: None,
                allow: Allow::default(),
            };
            NetworkIntent {
                name: parse("network"),
                network,
                pool: Pool {
                    kind,
                    vfio: None,
                    selector,
                    members: Vec::new(),
                    reset: Reset::None,
                    num_vfs: None,
                    up: false,
                    publish: None,
                    resource: None,
                    shares: std::num::NonZeroU32::MIN,
                    uncounted: Uncounted::Refuse,
                },
                interface: parse("net"),
                addresses: Vec::new(),
                mac,
                device: None,
            }
        },
    )
}

fn service_of(kind: u8, eth0: bool) -> Option<ServiceIntent> {
    let (v4, v6) = (["10.96.0.0/12", "169.254.96.0/20"], ["fd00:96::/108", "fd00:97::/112"]);
    let families = match kind {
        0 => return None,
        1 => vec![v4],
        2 => vec![v6],
        _ => vec![v4, v6],
    };
    let cidrs = families.iter().map(|[cidr, _]| parse(cidr)).collect();
    if eth0 {
        return Some(ServiceIntent::Existing { interface: parse("eth0"), cidrs });
    }
    let source = families.iter().map(|[_, source]| parse(source)).collect();
    Some(ServiceIntent::Veth { interface: parse("svc0"), cidrs, source, mtu: None })
}
