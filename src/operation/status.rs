//! Who has which device, and what needs attention. Looks only, and waits for nobody.

use std::time::Duration;

use serde::Serialize;

use super::{
    Context, Finding, Mended, OperationError, Retry,
    audit::{Holders, audit, by_device},
    catch_up::still_missed,
    network_status::{NetworkStatus, network_status},
    offer::is_member,
    rdma::{self, RdmaDevice},
    reconcile,
    services::{self, ViewStatus},
    vfio::{VfioDevice, devices},
    whole_device,
};
use crate::{
    config::{Pool, PoolKind},
    inventory::{Candidate, HostDevice, VFIO},
    kernel::Kernel,
    lease::{Attached, Lease, LeaseState, Missed},
    plan::drives,
    types::{Deadline, Name, PciAddress, quote, with_causes},
};

/// The state of everything vfhook cares for.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The pools in order of their names.
    pub pools: Vec<PoolStatus>,
    /// Every lease.
    pub leases: Vec<LeaseStatus>,
    /// What services become backends inside, for which sandboxes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<ViewStatus>,
    /// What somebody should look at.
    pub attention: Vec<String>,
}

/// One lease, and what its containers may know.
#[derive(Debug, Serialize)]
pub struct LeaseStatus {
    /// The lease.
    #[serde(flatten)]
    pub lease: Lease,
    /// The same as the containers' file has.
    pub network_status: Vec<NetworkStatus>,
    /// The devices that its programs drive.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vfio: Vec<VfioDevice>,
    /// The RDMA devices that its programs may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rdma: Vec<RdmaDevice>,
}

/// One pool.
#[derive(Debug, Serialize)]
pub struct PoolStatus {
    /// Its name.
    pub name: Name,
    /// What its devices are: `sriov`, `host-device`, `macvlan` or `ipvlan`.
    pub kind: &'static str,
    /// The driver that gives them to programs, where one does: `vfio-pci`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<&'static str>,
    /// How many devices can be given now; `None` where they are made as needed.
    pub free: Option<usize>,
    /// Its devices.
    pub devices: Vec<DeviceStatus>,
}

/// One device of a pool.
#[derive(Debug, Serialize)]
pub struct DeviceStatus {
    /// Its address.
    pub address: PciAddress,
    /// The physical function and the number on it; of a device that is given whole, its name on the host.
    pub function: String,
    /// The physical function's name, of a VF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pf: Option<String>,
    /// Its number there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vf: Option<u32>,
    /// Its state: `free`, `leased`, `kept for a pod` that kubelet chose it for, or why it can be none of these.
    pub state: String,
    /// The interface in the host or, leased, in the sandbox.
    pub interface: Option<String>,
    /// Who has it.
    pub sandbox: Option<String>,
    /// Its addresses there.
    pub addresses: Vec<String>,
}

/// Looks at pools and leases.
pub fn status(kernel: &mut impl Kernel, context: &Context) -> Result<Status, OperationError> {
    let (leases, unreadable) = context.leases.all()?;
    let mut attention: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
    attention.extend(context.config.objects.mistakes());
    let found = [
        unfinished(kernel, context)?,
        audit(kernel, context, true, Deadline::after(Duration::ZERO))?,
    ];
    attention.extend(found.iter().flatten().map(|found| {
        let (subject, what) = (found.subject(), &found.what);
        match found.outcome {
            Mended::LeftAlone => format!("{subject}: {what}"),
            Mended::WouldApply => format!("{subject}: {what}; `vfhook reconcile` applies it"),
            _ => format!("{subject}: {what}; `vfhook reconcile` takes it back"),
        }
    }));
    match still_missed(kernel, context) {
        Ok(missed) => attention.extend(missed.iter().map(without)),
        Err(error) => attention.push(with_causes(&error)),
    }
    let pools = pools(kernel, context, &by_device(&leases), &mut attention)?;
    let views = services::views(kernel, &leases).unwrap_or_else(|error| {
        attention.push(with_causes(&error));
        Vec::new()
    });
    let with_status = |lease: Lease| {
        let network_status = network_status(kernel, &lease);
        let vfio = devices(kernel, &lease.networks, &lease.plan);
        let rdma = rdma::devices(kernel, &lease.networks);
        LeaseStatus { lease, network_status, vfio, rdma }
    };
    let leases = leases.into_iter().map(with_status).collect();
    Ok(Status { pools, leases, views, attention })
}

/// Each pool with its devices; what cannot be found is added to `attention`.
pub(super) fn pools(
    kernel: &mut impl Kernel,
    context: &Context,
    holders: &Holders,
    attention: &mut Vec<String>,
) -> Result<Vec<PoolStatus>, OperationError> {
    let mut pools = Vec::new();
    for (name, pool) in &context.config.pools {
        if pool.kind.is_made() || pool.kind == PoolKind::Bond {
            pools.push(PoolStatus {
                name: name.clone(),
                kind: pool.kind.as_str(),
                bind: None,
                free: None,
                devices: Vec::new(),
            });
            continue;
        }
        if pool.kind == PoolKind::HostDevice {
            pools.push(of_whole_devices(kernel, context, name, pool, holders)?);
            continue;
        }
        let functions = kernel.physical_functions(&pool.selector);
        attention.extend(functions.missing.iter().map(|error| format!("pool {name}: {error}")));
        let members = functions.found.into_iter().flat_map(|function| function.vfs);
        let mut devices = Vec::new();
        for candidate in members {
            if is_member(kernel, context, &candidate, &pool.selector) {
                devices.push(device(kernel, context, &candidate, holders)?);
            }
        }
        let free = devices.iter().filter(|device| device.state == "free").count();
        pools.push(PoolStatus {
            name: name.clone(),
            kind: pool.kind.as_str(),
            bind: pool.vfio.map(|_| VFIO),
            free: Some(free),
            devices,
        });
    }
    Ok(pools)
}

fn of_whole_devices(
    kernel: &mut impl Kernel,
    context: &Context,
    name: &Name,
    pool: &Pool,
    holders: &Holders,
) -> Result<PoolStatus, OperationError> {
    let members = whole_device::members(kernel, &context.leases, name, pool)?;
    let look = |member: &HostDevice| whole(kernel, member, holders);
    let devices = members.iter().map(look).collect::<Result<Vec<_>, _>>()?;
    let free = devices.iter().filter(|device| device.state == "free").count();
    Ok(PoolStatus {
        name: name.clone(),
        kind: pool.kind.as_str(),
        bind: None,
        free: Some(free),
        devices,
    })
}

fn without(missed: &Missed) -> String {
    let part = |name: &Option<String>| name.as_deref().map_or_else(|| "?".to_owned(), quote);
    let (namespace, pod) = (part(&missed.namespace), part(&missed.pod));
    let why = &missed.why;
    format!("{}: pod {namespace}/{pod} runs without what it asks for: {why}", missed.id.short())
}

/// What `reconcile` would do. It does nothing.
pub(super) fn unfinished(
    kernel: &mut impl Kernel,
    context: &Context,
) -> Result<Vec<Finding>, OperationError> {
    reconcile(kernel, context, |_| false, Retry::Now, true, Deadline::after(Duration::ZERO))
}

fn device(
    kernel: &mut impl Kernel,
    context: &Context,
    candidate: &Candidate,
    holders: &Holders,
) -> Result<DeviceStatus, OperationError> {
    let function = format!("{} vf {}", candidate.pf_name, candidate.index);
    let (pf, vf) = (Some(candidate.pf_name.to_string()), Some(candidate.index));
    let mut status = DeviceStatus { pf, vf, ..unlooked(candidate.address, function) };
    if status.is_held(kernel, holders) {
        return Ok(status);
    }
    match kernel.observe_device(candidate, false)? {
        Ok(device) => {
            status.interface = Some(device.link.name.to_string());
            if context.leases.is_allocated(candidate.address) {
                "kept for a pod".clone_into(&mut status.state);
            }
        }
        Err(reason) => status.state = reason.to_string(),
    }
    Ok(status)
}

/// A device that is given whole, and what the host has on it.
fn whole(
    kernel: &mut impl Kernel,
    member: &HostDevice,
    holders: &Holders,
) -> Result<DeviceStatus, OperationError> {
    let mut status = unlooked(member.address, member.name.to_string());
    if status.is_held(kernel, holders) {
        return Ok(status);
    }
    match kernel.observe_whole(member)? {
        Ok(device) => {
            status.interface = Some(device.link.name.to_string());
            status.addresses = device.link.addresses.iter().map(ToString::to_string).collect();
        }
        Err(reason) => status.state = reason.to_string(),
    }
    Ok(status)
}

fn unlooked(address: PciAddress, function: String) -> DeviceStatus {
    DeviceStatus {
        address,
        function,
        pf: None,
        vf: None,
        state: "free".to_owned(),
        interface: None,
        sandbox: None,
        addresses: Vec::new(),
    }
}

impl DeviceStatus {
    /// Tells what a lease makes of it, where one holds it.
    fn is_held(&mut self, kernel: &mut impl Kernel, holders: &Holders) -> bool {
        let Some((lease, had)) = holders.get(&self.address) else { return false };
        state_word(&lease.state).clone_into(&mut self.state);
        self.interface = Some(interface(kernel, lease, had));
        self.sandbox = Some(lease.id.to_string());
        self.addresses = had.addresses.iter().map(ToString::to_string).collect();
        true
    }
}

/// What a sandbox has of a device: an interface, or the node of what its program drives.
fn interface(kernel: &mut impl Kernel, lease: &Lease, had: &Attached) -> String {
    let driven = had.device.filter(|device| drives(&lease.plan, *device));
    let nodes = driven.and_then(|device| kernel.vfio_nodes(device));
    nodes.map_or_else(|| had.interface.to_string(), |[group, _]| group.path.display().to_string())
}

pub(super) fn state_word(state: &LeaseState) -> &'static str {
    match state {
        LeaseState::Reserved => "reserved",
        LeaseState::Attached => "leased",
        LeaseState::Releasing => "releasing",
        LeaseState::NeedsCleanup { .. } => "needs cleanup",
    }
}
