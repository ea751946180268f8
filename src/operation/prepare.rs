//! Looks at a sandbox, chooses what it is to have, plans, and makes the lease that is to be recorded. Records nothing, and needs no
//! lock of the table.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{
    Context, OperationError,
    choose::{Choice, Chooser},
    now,
};
use crate::{
    inventory::RouteFamilies,
    kernel::Kernel,
    lease::{Attached, Lease, LeaseState, OperationLock, VERSION, new_serial},
    plan::{
        self, AttachInput, ChosenDevice, ChosenNetwork, ChosenService, ChosenView, Plan, WayFacts,
    },
    request::{AttachmentIntent, NetworkIntent, SandboxEvent, ServiceIntent},
    types::{AddressRange, NetnsNumber, Outside, PciAddress, Reach},
};

/// What came of it.
pub(super) enum Prepared {
    /// A lease that can be recorded.
    Lease {
        /// It.
        lease: Box<Lease>,
        /// What keeps its devices from being chosen by others.
        looking: Vec<OperationLock>,
    },
    /// No device is free, but another looks at this one and may let go of it.
    Busy(PciAddress),
}

/// The lease of what `intent` needs, as it would be now.
pub(super) fn prepare(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    intent: &AttachmentIntent,
    avoided: &BTreeSet<IpAddr>,
) -> Result<Prepared, OperationError> {
    let id = &event.id;
    let sandbox = &kernel.observe_sandbox(routes_to_know(intent))?;
    let chosen = Chooser::new(kernel, context, id, avoided).choose(intent)?;
    let (networks, service, looking) = match chosen {
        Choice::Made(networks, service, looking) => (networks, service, looking),
        Choice::Busy(device) => return Ok(Prepared::Busy(device)),
    };
    let serial = new_serial();
    let opens = intent.networks.iter().any(|network| network.network.host_access);
    let host_addresses = if opens { kernel.host_addresses()? } else { Vec::new() };
    let host_ipv6 = kernel.ipv6();
    let more_to_come = intent.more_to_come;
    let reach = reach_of(&networks);
    let outside = outside(kernel, context, event, intent, &reach)?;
    let view = intent.inside.clone().filter(|_| outside.is_none() && !reach.is_empty());
    let cookie = sandbox.netns.cookie;
    let view = view.map(|place| ChosenView { place, cookie, reach });
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
    let plan = plan::attach(&input)?;
    let flaws = plan::check(&plan);
    if !flaws.is_empty() {
        return Err(OperationError::Flawed(flaws));
    }
    let mut lease = Box::new(lease_of(kernel, event, intent, &input, plan));
    lease.outside = outside.map(|why| why.to_string());
    for had in &mut lease.networks {
        let blocks = context.config.networks.get(&had.network).and_then(|network| network.blocks);
        had.rest = blocks.map(|_| context.config.cluster.rest);
    }
    Ok(Prepared::Lease { lease, looking })
}

/// What the sockets of a sandbox reach by its own devices: by one that a program drives, none do.
fn reach_of(networks: &[ChosenNetwork]) -> Reach {
    let with_sockets =
        networks.iter().filter(|chosen| !matches!(chosen.device, ChosenDevice::Vfio(..)));
    let addresses = with_sockets
        .flat_map(|chosen| chosen.addresses.iter().map(|address| (&chosen.intent.name, address)));
    Reach::of(addresses)
}

/// Why services stay outside of a sandbox that would have them inside. The host is asked only where it matters.
fn outside(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    intent: &AttachmentIntent,
    reach: &Reach,
) -> Result<Option<Outside>, OperationError> {
    let Some(place) = &intent.inside else { return Ok(None) };
    let driven = |network: &NetworkIntent| network.pool.vfio.is_some();
    let mut facts = WayFacts {
        mode: context.config.service_path.mode,
        said: event.outside.as_ref(),
        is_driven: intent.networks.iter().all(driven),
        hindrance: None,
    };
    let is_asked = facts.said.is_none() && facts.mode.has_pair() && !reach.is_empty();
    if is_asked {
        facts.hindrance = kernel.hindrance_to_services(place)?;
    }
    Ok(plan::stays_outside(facts))
}

/// IPv6 routes are told from others by their metric, so those that are there must be known; of IPv4's only the gateway that a
/// service path is to use.
fn routes_to_know(intent: &AttachmentIntent) -> RouteFamilies {
    let defaults = intent.networks.iter().filter(|network| network.network.default_route);
    let mut gateways = defaults.flat_map(|network| &network.network.gateway);
    let is_v6 = |cidr: &IpNet| cidr.addr().is_ipv6();
    let (ipv4, ipv6) = match &intent.service {
        Some(ServiceIntent::Existing { cidrs, .. }) => {
            (cidrs.iter().any(|cidr| !is_v6(cidr)), cidrs.iter().any(is_v6))
        }
        Some(ServiceIntent::Veth { source, .. }) => {
            (false, source.iter().any(AddressRange::is_ipv6))
        }
        None => (false, false),
    };
    let mut routes = intent.networks.iter().flat_map(|network| &network.network.routes);
    // Which tables are in use both families tell.
    let by_source = intent.networks.iter().any(|network| network.network.source_routing);
    RouteFamilies {
        ipv4: ipv4 || by_source,
        ipv6: ipv6
            || by_source
            || gateways.any(IpAddr::is_ipv6)
            || routes.any(|route| is_v6(&route.to)),
    }
}

fn lease_of(
    kernel: &mut impl Kernel,
    event: &SandboxEvent,
    intent: &AttachmentIntent,
    input: &AttachInput,
    plan: Plan,
) -> Lease {
    let sources = match &input.service {
        Some(ChosenService::Veth { sources, .. }) => sources.clone(),
        _ => Vec::new(),
    };
    let interface = input.service.as_ref().map(|service| match service {
        ChosenService::Veth { interface, .. } | ChosenService::Existing { interface, .. } => {
            interface.clone()
        }
    });
    Lease {
        version: VERSION,
        id: event.id.clone(),
        origin: event.origin,
        pod: event.pod.clone(),
        namespace: event.namespace.clone(),
        serial: input.serial,
        state: LeaseState::Reserved,
        created: now(),
        netns: input.sandbox.netns.clone(),
        number: kernel.number_sandbox(NetnsNumber::of_cookie(input.sandbox.netns.cookie)).ok(),
        boot: Some(kernel.boot()),
        holders: BTreeSet::from([event.id.clone()]),
        passing: BTreeSet::new(),
        added_to: None,
        additions: BTreeSet::new(),
        networks: networks_of(input),
        service_sources: sources,
        service_cidrs: intent.service_cidrs().to_vec(),
        drift: None,
        service_interface: interface,
        notices: BTreeSet::new(),
        outside: None,
        plan,
    }
}

fn networks_of(input: &AttachInput) -> Vec<Attached> {
    let chosen = input.networks.iter().enumerate();
    chosen.map(|(position, chosen)| attached(input.serial, position, chosen)).collect()
}

fn attached(serial: u64, position: usize, chosen: &ChosenNetwork) -> Attached {
    let device = match &chosen.device {
        ChosenDevice::Vf(device) | ChosenDevice::Vfio(device, _) => Some(device.candidate.address),
        ChosenDevice::Whole(device) => Some(device.address),
        ChosenDevice::Made(..) | ChosenDevice::Bond(_) => None,
    };
    let members = match &chosen.device {
        ChosenDevice::Bond(members) => members.as_slice(),
        _ => &[],
    };
    Attached {
        network: chosen.intent.name.clone(),
        pool: chosen.intent.network.pool.clone(),
        interface: chosen.intent.interface.clone(),
        device,
        mac: plan::interface_mac(serial, position, chosen),
        addresses: chosen.addresses.clone(),
        segments: chosen.segments.clone(),
        rest: None,
        rdma: chosen.rdma.clone(),
        memlock: chosen.intent.network.memlock,
        resource: chosen.intent.pool.resource.clone(),
        members: members.iter().map(|member| attached(serial, position, member)).collect(),
    }
}
