//! Gives a sandbox what it asks for: observe, choose, plan, record, do, record.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    AttachReport, Context, How, OperationError, Preview,
    choose::Chooser,
    conflict::Conflicts,
    join::{join, refuse_conflict},
    journal, now,
    recover::{self, release},
};
use ipnet::IpNet;

use crate::{
    execute::{self, Outcome},
    inventory::{RouteFamilies, SandboxFacts},
    kernel::Kernel,
    lease::{Attached, Claim, Lease, LeaseState, Reservation, VERSION, new_serial},
    plan::{self, AttachInput, ChosenDevice, ChosenNetwork, ChosenService, step::Step},
    request::{AttachmentIntent, SandboxEvent, ServiceIntent, resolve},
    types::{AddressRange, Deadline, MacAddress, NetnsIdentity, NetnsNumber},
};

/// Attaches what `event` asks for, or finds it attached.
pub fn attach(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    deadline: Deadline,
) -> Result<AttachReport, OperationError> {
    if event.networks.is_empty() {
        return Ok(AttachReport::nothing(&event.id));
    }
    let mut conflicts = Conflicts::default();
    loop {
        let netns = kernel.open_sandbox(&event.netns)?;
        match existing(kernel, context, event, &netns, deadline)? {
            Existing::Lease(reservation) => {
                return join(kernel, context, event, *reservation, deadline);
            }
            // The kernel's idea of the sandbox may have become that of the lease that was cleared away.
            Existing::Cleared => continue,
            Existing::None => {}
        }
        let intent = resolve(&context.config, event)?;
        let table = context.leases.lock(deadline)?;
        let theirs = [Claim::Netns(netns.cookie), Claim::Id(event.id.clone())];
        if theirs.iter().any(|claim| context.leases.is_taken(claim)) {
            // Somebody was faster; what they did is looked at in the next round.
            continue;
        }
        // Under the lock: what another vfhook just took out of the sandbox must not be seen there.
        let sandbox = kernel.observe_sandbox(routes_to_know(&intent))?;
        let prepared = prepare(kernel, context, event, &intent, &sandbox, &conflicts.avoided);
        let reservation = table.reserve(prepared.map_err(|error| conflicts.explain(error))?)?;
        drop(table);
        let done = perform(kernel, context, reservation, deadline);
        if let Some(done) = conflicts.unless_others_will_do(done, &intent) {
            return done;
        }
    }
}

/// What [`attach`] would do. Nothing is changed and nothing recorded.
pub fn preview_attach(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    deadline: Deadline,
) -> Result<Preview, OperationError> {
    let netns = kernel.open_sandbox(&event.netns)?;
    let _table = context.leases.lock(deadline)?;
    if let Some(lease) = context.leases.find(&Claim::Netns(netns.cookie))? {
        refuse_conflict(&lease, event)?;
        return Ok(Preview { steps: Vec::new() });
    }
    let intent = resolve(&context.config, event)?;
    let sandbox = kernel.observe_sandbox(routes_to_know(&intent))?;
    let lease = prepare(kernel, context, event, &intent, &sandbox, &BTreeSet::new())?;
    Ok(Preview::of_plan(&lease.plan))
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
    RouteFamilies { ipv4, ipv6: ipv6 || gateways.any(IpAddr::is_ipv6) }
}

pub(super) enum Existing {
    /// The namespace has this lease, and nobody works on it.
    Lease(Box<Reservation>),
    /// There was what a process that died left behind, and it is no more.
    Cleared,
    /// Nothing.
    None,
}

/// Waits for whoever works on a lease of this sandbox; clears away what is half done or belongs to a namespace that is
/// gone.
pub(super) fn existing(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    netns: &NetnsIdentity,
    deadline: Deadline,
) -> Result<Existing, OperationError> {
    let here = context.leases.reserve_existing(&Claim::Netns(netns.cookie), deadline)?;
    if let Some(reservation) = here {
        if reservation.lease.state == LeaseState::Attached {
            return Ok(Existing::Lease(Box::new(reservation)));
        }
        release(kernel, context, reservation, deadline)?;
        return Ok(Existing::Cleared);
    }
    let Some(elsewhere) =
        context.leases.reserve_existing(&Claim::Id(event.id.clone()), deadline)?
    else {
        return Ok(Existing::None);
    };
    // The id had another namespace before: a container that is started again has a new one.
    if elsewhere.lease.state == LeaseState::Attached && recover::is_alive(kernel, &elsewhere.lease)?
    {
        let netns = elsewhere.lease.netns.source.to_string();
        return Err(OperationError::IdInUse { id: event.id.clone(), netns });
    }
    release(kernel, context, elsewhere, deadline)?;
    Ok(Existing::Cleared)
}

/// Chooses, plans, and makes the lease that is to be recorded.
fn prepare(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    intent: &AttachmentIntent,
    sandbox: &SandboxFacts,
    avoided: &BTreeSet<IpAddr>,
) -> Result<Lease, OperationError> {
    let id = &event.id;
    let (networks, service) = Chooser::new(kernel, context, id, avoided).choose(intent)?;
    let serial = new_serial();
    let opens = intent.networks.iter().any(|network| network.network.host_access);
    let host_addresses = if opens { kernel.host_addresses()? } else { Vec::new() };
    let host_ipv6 = kernel.ipv6();
    let input = AttachInput { id, serial, sandbox, networks, service, host_addresses, host_ipv6 };
    let plan = plan::attach(&input)?;
    let flaws = plan::check(&plan);
    if !flaws.is_empty() {
        return Err(OperationError::Flawed(flaws));
    }
    let sources = match &input.service {
        Some(ChosenService::Veth { sources, .. }) => sources.clone(),
        _ => Vec::new(),
    };
    let interface = input.service.as_ref().map(|service| match service {
        ChosenService::Veth { interface, .. } | ChosenService::Existing { interface, .. } => {
            interface.clone()
        }
    });
    Ok(Lease {
        version: VERSION,
        id: id.clone(),
        origin: event.origin,
        pod: event.pod.clone(),
        namespace: event.namespace.clone(),
        serial,
        state: LeaseState::Reserved,
        created: now(),
        netns: sandbox.netns.clone(),
        number: kernel.number_sandbox(NetnsNumber::of_cookie(sandbox.netns.cookie)).ok(),
        boot: Some(kernel.boot()),
        holders: BTreeSet::from([id.clone()]),
        networks: networks_of(&input),
        service_sources: sources,
        service_cidrs: intent.service_cidrs().to_vec(),
        service_interface: interface,
        plan,
    })
}

fn networks_of(input: &AttachInput) -> Vec<Attached> {
    let chosen = input.networks.iter().enumerate();
    chosen.map(|(position, chosen)| attached(input.serial, position, chosen)).collect()
}

fn attached(serial: u64, position: usize, chosen: &ChosenNetwork) -> Attached {
    let device = match &chosen.device {
        ChosenDevice::Vf(device) => Some(device.candidate.address),
        ChosenDevice::Macvlan(_) => None,
    };
    Attached {
        network: chosen.intent.name.clone(),
        pool: chosen.intent.network.pool.clone(),
        interface: chosen.intent.interface.clone(),
        device,
        mac: plan::interface_mac(serial, position, chosen),
        addresses: chosen.addresses.clone(),
        segments: chosen.segments.clone(),
    }
}

/// Does what is recorded, and records what came of it.
fn perform(
    kernel: &mut impl Kernel,
    context: &Context,
    mut reservation: Reservation,
    deadline: Deadline,
) -> Result<AttachReport, OperationError> {
    let began = journal::begin();
    match execute::run(&reservation.lease.plan, kernel, deadline) {
        Outcome::Applied => {
            forget_refused_macs(kernel, &mut reservation.lease);
            reservation.lease.state = LeaseState::Attached;
            context.leases.update(&reservation.lease)?;
            journal::attached(&reservation.lease, &began);
            Ok(AttachReport::of(&reservation.lease, How::Attached, kernel.messages()))
        }
        Outcome::Failed { failure, undone } => {
            recover::settle(kernel, context, reservation, undone, "the attachment failed")?;
            Err(OperationError::RolledBack { verb: "the attachment", source: failure })
        }
    }
}

/// A MAC address that a driver may refuse is recorded only if it is there.
fn forget_refused_macs(kernel: &mut impl Kernel, lease: &mut Lease) {
    let wished = lease.plan.steps.iter().filter_map(|planned| match &planned.step {
        Step::ConfigureVf(step) if step.forgiving => step.interface_mac,
        _ => None,
    });
    let wished: BTreeSet<MacAddress> = wished.collect();
    if wished.is_empty() {
        return;
    }
    let inside =
        kernel.observe_sandbox(RouteFamilies::NONE).map(|seen| seen.macs).unwrap_or_default();
    for had in &mut lease.networks {
        had.mac = had.mac.filter(|mac| inside.contains(mac) || !wished.contains(mac));
    }
}
