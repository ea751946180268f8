//! What an operation sees when it looks.

use std::collections::BTreeSet;

use super::{Card, FakeLink, Machine, session::Session};
use crate::{
    inventory::{
        Binding, Candidate, Device, Hop, HostFacts, Ipv6, Link, PhysicalFunction, Route,
        RouteFamilies, SandboxFacts, SeenRoute, Sysctls, Unusable, Use,
    },
    kernel::{Functions, KernelError},
    plan::step::Place,
    types::{
        AdminMac, DeviceName, DeviceSelector, KernelText, MacAddress, NetnsIdentity, PciAddress,
        Port, Segment,
    },
};

pub(super) fn sandbox(
    session: &mut Session,
    netns: NetnsIdentity,
    routes: RouteFamilies,
) -> Result<SandboxFacts, KernelError> {
    let namespace = session.namespace(Place::Sandbox)?;
    let links = || namespace.links.values();
    let names =
        links().flat_map(|link| link.facts.altnames.iter().chain([&link.facts.name]).cloned());
    let found = links().flat_map(|link| &link.routes).filter(|route| routes.has(&route.to));
    let (routes, tables) = SandboxFacts::by_table(found.map(seen).collect());
    Ok(SandboxFacts {
        netns,
        // Every namespace has one.
        names: names.chain([KernelText::new("lo")]).collect::<BTreeSet<_>>(),
        macs: links().filter_map(|link| link.facts.mac).collect(),
        routes,
        tables,
        ipv6: if namespace.ipv6_disabled { Ipv6::Off } else { Ipv6::On },
    })
}

/// The route as one looks at it.
pub(super) fn seen(route: &Route) -> SeenRoute {
    let interface = route.interface.clone();
    SeenRoute {
        to: route.to,
        metric: route.metric,
        protocol: route.protocol,
        table: route.table,
        source: route.source,
        hops: vec![Hop { via: route.via, interface, onlink: route.onlink }],
    }
}

pub(super) fn physical_functions(machine: &Machine, selector: &DeviceSelector) -> Functions {
    let mut functions = Functions::default();
    if selector.pf.is_empty() {
        let all = machine.cards.iter().filter_map(|(address, card)| {
            Some(physical_function(*address, card, &name_of(machine, *address)?))
        });
        all.for_each(|found| functions.add(Ok(found)));
    }
    for name in &selector.pf {
        functions.add(function(machine, name));
    }
    functions
}

fn function(machine: &Machine, name: &DeviceName) -> Result<PhysicalFunction, KernelError> {
    let absent = |reason| KernelError::absent(format!("physical function {name}"), reason);
    let address = match name {
        DeviceName::Address(address) => *address,
        DeviceName::Interface(_) => {
            let link = named(machine, name);
            let link = link.ok_or_else(|| absent("there is no such interface on this host"))?;
            link.facts.parent.ok_or_else(|| absent("it is not a PCI device"))?
        }
    };
    let card = machine.cards.get(&address).ok_or_else(|| absent("it has no SR-IOV capability"))?;
    let shown = name_of(machine, address);
    Ok(physical_function(
        address,
        card,
        &shown.unwrap_or_else(|| KernelText::new(address.to_string())),
    ))
}

/// The interface of the host that is called so.
pub(super) fn named<'a>(machine: &'a Machine, name: &DeviceName) -> Option<&'a FakeLink> {
    let is_it = |link: &&FakeLink| match name {
        DeviceName::Interface(name) => {
            link.facts.name == *name || link.facts.altnames.contains(name)
        }
        DeviceName::Address(address) => link.facts.parent == Some(*address),
    };
    machine.host.links.values().find(is_it)
}

fn name_of(machine: &Machine, address: PciAddress) -> Option<KernelText> {
    let mut links = machine.host.links.values();
    links.find(|link| link.facts.parent == Some(address)).map(|link| link.facts.name.clone())
}

fn physical_function(address: PciAddress, card: &Card, name: &KernelText) -> PhysicalFunction {
    let candidate = |(index, vf): (u32, &super::Vf)| Candidate {
        address: vf.address,
        index,
        pf_address: address,
        pf_name: name.clone(),
    };
    PhysicalFunction {
        address,
        name: name.clone(),
        total_vfs: card.total_vfs,
        num_vfs: card.num_vfs,
        vfs: (0..).zip(card.made()).map(candidate).collect(),
    }
}

pub(super) fn device(
    machine: &Machine,
    candidate: &Candidate,
    attributes: bool,
) -> Result<Device, Unusable> {
    let card = machine.card_of(candidate.address);
    let Some(vf) = card.and_then(|card| card.vf(candidate.address)) else {
        return Err(Unusable::NoDriver);
    };
    let Some(driver) = vf.driver.clone() else { return Err(Unusable::NoDriver) };
    let mut links = machine.host.links.values();
    let Some(link) = links.find(|link| link.facts.parent == Some(candidate.address)) else {
        return Err(Unusable::NoInterface { driver });
    };
    let pf =
        machine.host.links.values().find(|link| link.facts.parent == Some(candidate.pf_address));
    let device = Device {
        pf_mtu: pf.map(|pf| pf.facts.mtu),
        candidate: candidate.clone(),
        link: link.facts.clone(),
        sysctls: Sysctls(link.sysctls.clone()),
        features: link.features.clone(),
        attributes: attributes.then_some(vf.attributes),
        driver,
        uses: Use::shown_by(&link.facts, |_| None),
    };
    device.unusable().map_or(Ok(device), Err)
}

pub(super) fn segments(machine: &Machine, link: &Link) -> Vec<Segment> {
    let of_vf = |device| machine.cards.iter().find(|(_, card)| card.vf(device).is_some());
    let port = link.parent.map_or(Port::Interface(link.index), |device| {
        Port::Pci(of_vf(device).map_or(device, |(address, _)| *address))
    });
    vec![Segment::untagged(port)]
}

pub(super) fn macs_of_card(machine: &Machine, pf: PciAddress) -> Vec<(PciAddress, MacAddress)> {
    let vfs = || machine.cards.get(&pf).into_iter().flat_map(Card::made);
    let is_its = |device: PciAddress| device == pf || vfs().any(|vf| vf.address == device);
    let links = machine.host.links.values().filter_map(|link| {
        let device = link.facts.parent.filter(|device| is_its(*device))?;
        Some((device, link.facts.mac?))
    });
    let assigned = vfs().filter_map(|vf| match vf.attributes.mac {
        Some(AdminMac::Assigned(mac)) => Some((vf.address, mac)),
        _ => None,
    });
    links.chain(assigned).collect()
}

pub(super) fn numa_node(machine: &Machine, vf: PciAddress) -> Option<u32> {
    u32::try_from(machine.card_of(vf)?.vf(vf)?.numa_node).ok()
}

pub(super) fn binding(machine: &Machine, address: PciAddress) -> Binding {
    let vf = machine.card_of(address).and_then(|card| card.vf(address));
    let mut links = machine.host.links.values();
    let link = links.find(|link| link.facts.parent == Some(address));
    Binding {
        driver: vf.and_then(|vf| vf.driver.clone()),
        interface: link.map(|link| link.facts.name.clone()),
    }
}

/// Links and routes are the machine's. What it has no notion of is as on a host that forwards and filters nothing.
pub(super) fn host(machine: &Machine) -> HostFacts {
    let links = || machine.host.links.values();
    let forwarding = ["ipv4/conf/all/forwarding", "ipv6/conf/all/forwarding"];
    HostFacts {
        has_cookies: true,
        lent: machine.lent.clone(),
        links: links().map(|link| link.facts.clone()).collect(),
        routes: links().flat_map(|link| link.routes.clone()).collect(),
        sysctls: forwarding.map(|key| (key.to_owned(), 1)).into(),
        chains: Some(Vec::new()),
        ..HostFacts::default()
    }
}

pub(super) fn matches(machine: &Machine, address: PciAddress, selector: &DeviceSelector) -> bool {
    let card = machine.card_of(address);
    let Some(vf) = card.and_then(|card| card.vf(address)) else { return false };
    let driver = || vf.driver.as_ref().is_some_and(|driver| selector.driver.contains(driver));
    (selector.vendor.is_empty() || selector.vendor.contains(&vf.ids.0))
        && (selector.device.is_empty() || selector.device.contains(&vf.ids.1))
        && (selector.driver.is_empty() || driver())
        && (selector.numa_node.is_empty() || selector.numa_node.contains(&vf.numa_node))
}
