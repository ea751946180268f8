//! The devices of pools that give them whole: chosen, and told of. A device that is away is known by its lease alone: no selector meets it
//! where it is. Records nothing.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{
    OperationError,
    choose::{Chooser, PassedOver, none_free},
};
use crate::{
    config::Pool,
    inventory::{HostDevice, HostDeviceFacts},
    kernel::{Kernel, KernelError},
    lease::{Claim, Lease, LeaseStore},
    plan::ChosenDevice,
    request::NetworkIntent,
    types::{KernelText, Name, PciAddress, Segment, with_causes},
};

impl<K: Kernel> Chooser<'_, K> {
    /// A device that the pool's selector meets and the host can do without, and its wires.
    pub(super) fn whole(
        &mut self,
        intent: &NetworkIntent,
    ) -> Result<(ChosenDevice, Vec<Segment>), OperationError> {
        let mut members = self.kernel.host_devices(&intent.pool.selector)?;
        // The one that has rested longest first, as of VFs.
        members.sort_by_cached_key(|member| self.context.leases.came_back(member.address));
        let mut passed = PassedOver::default();
        for member in &members {
            if self.passes_over(intent, member.address, &mut passed) {
                continue;
            }
            let Some(looking) = self.context.leases.look_at(member.address)? else {
                self.busy = Some(member.address);
                continue;
            };
            // Asked again: from here on the answers stay as they are.
            if self.passes_over(intent, member.address, &mut passed) {
                continue;
            }
            let device = match self.kernel.observe_whole(member)? {
                Ok(device) => device,
                Err(why) => {
                    passed.unusable.push(format!("{} {why}", member.address));
                    continue;
                }
            };
            let segments = self.kernel.segments_of(&device.link);
            if self.has_taken_mac(&device.link, &segments) {
                passed.unusable.push(format!("{} has another sandbox's MAC", member.address));
                continue;
            }
            for rule in &device.kept.rules {
                tracing::warn!(device = %member.address, %rule, "a rule of the host matches nothing while the device is away");
            }
            self.chosen.insert(Claim::Device(member.address));
            self.given_away.extend(device.link.addresses.iter().map(IpNet::addr));
            self.looking.push(looking);
            return Ok((ChosenDevice::Whole(Box::new(device)), segments));
        }
        // Those that are away are counted for the message alone: no pod that has one pays for it.
        let leased = leased(&self.context.leases, &intent.network.pool)?;
        let away = away(&leased, &members).len();
        passed.leased += away;
        Err(none_free(intent, members.len() + away, passed))
    }
}

/// The devices that leases have of a pool.
fn leased(
    leases: &LeaseStore,
    pool: &Name,
) -> Result<BTreeMap<PciAddress, KernelText>, OperationError> {
    let mut found = BTreeMap::new();
    for lease in leases.each()?.flatten() {
        found.extend(had_of(&lease, pool));
    }
    Ok(found)
}

/// The devices that a lease has of a pool, each with its name on the host.
fn had_of(lease: &Lease, pool: &Name) -> Vec<(PciAddress, KernelText)> {
    let of_pool = lease.networks.iter().filter(|had| had.pool == *pool);
    let named = |device| {
        let name = lease.plan.name_at_home(device).cloned();
        (device, name.unwrap_or_else(|| KernelText::new("?")))
    };
    of_pool.filter_map(|had| had.device.map(named)).collect()
}

fn away(leased: &BTreeMap<PciAddress, KernelText>, here: &[HostDevice]) -> Vec<HostDevice> {
    let others = leased.iter().filter(|(device, _)| here.iter().all(|one| one.address != **device));
    others.map(|(address, name)| HostDevice { address: *address, name: name.clone() }).collect()
}

/// The devices of a pool: those that its selector meets on the host, and those that leases have of it.
pub(super) fn members(
    kernel: &mut impl Kernel,
    leases: &LeaseStore,
    name: &Name,
    pool: &Pool,
) -> Result<Vec<HostDevice>, OperationError> {
    let mut members = kernel.host_devices(&pool.selector)?;
    members.extend(away(&leased(leases, name)?, &members));
    members.sort_by_key(|member| member.address);
    Ok(members)
}

/// Why a pool has no device at all; `None` where it has one, on the host or in a sandbox.
pub(super) fn lacks(
    kernel: &mut impl Kernel,
    leases: Option<&LeaseStore>,
    name: &Name,
    pool: &Pool,
) -> Option<String> {
    let here = kernel.host_devices(&pool.selector);
    absent(&here, &held(leases, name))
}

fn held(leases: Option<&LeaseStore>, pool: &Name) -> BTreeMap<PciAddress, KernelText> {
    leases.and_then(|leases| leased(leases, pool).ok()).unwrap_or_default()
}

fn absent(
    here: &Result<Vec<HostDevice>, KernelError>,
    held: &BTreeMap<PciAddress, KernelText>,
) -> Option<String> {
    match here {
        _ if !held.is_empty() => None,
        Ok(found) if found.is_empty() => Some(NOTHING_MET.to_owned()),
        Ok(_) => None,
        Err(error) => Some(with_causes(error)),
    }
}

/// What `doctor` is told of a pool.
pub(super) fn facts(
    kernel: &mut impl Kernel,
    leases: Option<&LeaseStore>,
    name: &Name,
    pool: &Pool,
) -> HostDeviceFacts {
    let (here, held) = (kernel.host_devices(&pool.selector), held(leases, name));
    let absent = absent(&here, &held);
    let here = here.unwrap_or_default();
    let mut kept = BTreeMap::new();
    for member in here.iter().filter(|member| !held.contains_key(&member.address)) {
        let why = match kernel.observe_whole(member) {
            Ok(Ok(_)) => continue,
            Ok(Err(reason)) => reason.to_string(),
            Err(error) => with_causes(&error),
        };
        kept.insert(member.address, why);
    }
    HostDeviceFacts {
        pool: name.clone(),
        absent,
        total: here.len() + away(&held, &here).len(),
        kept,
    }
}

/// What is said of a selector that meets nothing.
const NOTHING_MET: &str = "no device of this host with an interface is what it says";
