//! Makes a plan outside of an operation: the same choices each time, and a serial number that a test knows.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use vfhook::{
    config::{PoolKind, ServicePath},
    inventory::{Device, Link, RouteFamilies},
    kernel::{Kernel, fake::FakeHost},
    plan::{
        self, AttachInput, ChosenDevice, ChosenNetwork, ChosenService, ChosenView, Plan,
        candidates, seed,
    },
    request::{self, AttachmentIntent, NetworkIntent, ServiceIntent},
    types::{AddressRange, Name, NetnsSource, Reach, SandboxId, Upper},
};

use super::{
    host::{BLUE, parse},
    shape::Shape,
    stage::event,
};

/// The serial number of every plan made here.
pub(crate) const SERIAL: u64 = 0x0102_0304_0506;

/// The plan for the sandbox at [`BLUE`] on `host`.
pub(crate) fn plan_of(shape: &Shape, host: &FakeHost) -> Plan {
    let intent =
        request::resolve(&shape.config(), &event("blue", BLUE, &shape.requests())).unwrap();
    plan_for(&intent, host)
}

/// The plan that gives `intent` to the sandbox at [`BLUE`].
pub(crate) fn plan_for(intent: &AttachmentIntent, host: &FakeHost) -> Plan {
    let id: SandboxId = parse("blue");
    let mut kernel = host.kernel();
    kernel.open_sandbox(&NetnsSource::Path(BLUE.into())).unwrap();
    let sandbox = kernel.observe_sandbox(RouteFamilies::BOTH).unwrap();
    let mut taken = 0;
    let mut given: BTreeSet<IpAddr> = BTreeSet::new();
    let networks = intent.networks.iter().map(|network| {
        let device = choose(&mut kernel, network, &mut taken);
        let addresses = if network.addresses.is_empty() {
            first_of_each_family(&network.network.addresses, &id, Some(&network.name), &given)
        } else {
            network.addresses.clone()
        };
        given.extend(addresses.iter().map(IpNet::addr));
        ChosenNetwork {
            intent: network.clone(),
            device,
            addresses,
            segments: Vec::new(),
            rdma: None,
        }
    });
    let networks: Vec<ChosenNetwork> = networks.collect();
    let service = intent.service.as_ref().map(|service| choose_service(service, &id));
    let host_addresses = kernel.host_addresses().unwrap();
    let view = intent.inside.clone().map(|place| ChosenView {
        place,
        cookie: sandbox.netns.cookie,
        reach: reach(&networks),
    });
    let (sandbox, id) = (&sandbox, &id);
    let host_ipv6 = kernel.ipv6();
    let serial = SERIAL;
    let more_to_come = intent.more_to_come;
    let input = AttachInput {
        id,
        serial,
        sandbox,
        networks,
        service,
        view,
        host_addresses,
        host_ipv6,
        more_to_come,
    };
    plan::attach(&input).unwrap()
}

fn reach(networks: &[ChosenNetwork]) -> Reach {
    let addresses = networks
        .iter()
        .flat_map(|chosen| chosen.addresses.iter().map(|address| (&chosen.intent.name, address)));
    Reach::of(addresses)
}

/// The device of a network: of VFs the next, of all else the first.
fn choose(kernel: &mut impl Kernel, network: &NetworkIntent, taken: &mut usize) -> ChosenDevice {
    match network.pool.kind {
        PoolKind::Sriov => {
            *taken += 1;
            let vf = nth_vf(kernel, network, *taken - 1);
            if network.pool.vfio.is_some() {
                let facts = kernel.vfio(vf.candidate.address);
                ChosenDevice::Vfio(Box::new(vf), facts.driver_override)
            } else {
                ChosenDevice::Vf(Box::new(vf))
            }
        }
        PoolKind::Made(upper) => ChosenDevice::Made(upper, Box::new(parent(kernel, network))),
        PoolKind::Vlan => {
            let vlan = network.network.attributes.vlan.unwrap();
            ChosenDevice::Made(Upper::Vlan(vlan), Box::new(parent(kernel, network)))
        }
        PoolKind::Bond => bond(kernel, network),
        PoolKind::HostDevice => {
            let members = kernel.host_devices(&network.pool.selector).unwrap();
            let device = kernel.observe_whole(&members[0]).unwrap().unwrap();
            ChosenDevice::Whole(Box::new(device))
        }
    }
}

/// Of the first VF of each card.
fn bond(kernel: &mut impl Kernel, network: &NetworkIntent) -> ChosenDevice {
    let link = |(number, pf): (u8, &str)| {
        let mut intent = network.clone();
        intent.interface = network.interface.of_member(number);
        intent.pool.kind = PoolKind::Sriov;
        intent.pool.selector.pf = vec![parse(pf)];
        let device = ChosenDevice::Vf(Box::new(nth_vf(kernel, &intent, 0)));
        let (addresses, segments) = (Vec::new(), Vec::new());
        ChosenNetwork { intent, device, addresses, segments, rdma: None }
    };
    ChosenDevice::Bond((0..).zip(["ens1f0", "ens2f0"]).map(link).collect())
}

fn nth_vf(kernel: &mut impl Kernel, network: &NetworkIntent, nth: usize) -> Device {
    let functions = kernel.physical_functions(&network.pool.selector).some().unwrap();
    kernel.observe_device(&functions[0].vfs[nth], true).unwrap().unwrap()
}

fn parent(kernel: &mut impl Kernel, network: &NetworkIntent) -> Link {
    kernel.observe_link(&network.pool.selector.pf[0]).unwrap()
}

fn choose_service(intent: &ServiceIntent, id: &SandboxId) -> ChosenService {
    match intent.clone() {
        ServiceIntent::Existing { interface, cidrs } => {
            ChosenService::Existing { interface, cidrs }
        }
        ServiceIntent::Veth { interface, cidrs, source, mtu } => {
            let next_hops = [false, true].map(ServicePath::next_hop).into();
            let sources = first_of_each_family(&source, id, None, &next_hops);
            ChosenService::Veth {
                interface,
                cidrs,
                sources: sources.iter().map(IpNet::addr).collect(),
                mtu,
                masqueraded: source.iter().filter_map(AddressRange::network).collect(),
            }
        }
    }
}

fn first_of_each_family(
    ranges: &[AddressRange],
    id: &SandboxId,
    network: Option<&Name>,
    given: &BTreeSet<IpAddr>,
) -> Vec<IpNet> {
    let free = |address: &IpNet| !given.contains(&address.addr());
    let first = |ipv6| candidates(ranges, ipv6, seed(id, network)).find(free);
    [first(false), first(true)].into_iter().flatten().collect()
}
