//! Chooses a device that no lease holds; `address` chooses what it has on its wire. Nobody else chooses a device that is looked at
//! here. Everything else that is chosen may be another's by the time it is recorded: who records is told so, and chooses anew.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Context, OperationError};
use crate::{
    config::PoolKind,
    inventory::{Candidate, Device, NotVfio, PhysicalFunction},
    kernel::Kernel,
    lease::{Claim, OperationLock},
    plan::{ChosenDevice, ChosenNetwork, ChosenService},
    request::{AttachmentIntent, NetworkIntent},
    types::{KernelText, PciAddress, Port, SandboxId, Segment},
};

/// What is chosen for one sandbox so far.
pub(super) struct Chooser<'a, K> {
    pub(super) kernel: &'a mut K,
    pub(super) context: &'a Context,
    pub(super) id: &'a SandboxId,
    pub(super) chosen: BTreeSet<Claim>,
    /// Addresses that somebody on the wire has.
    pub(super) avoided: &'a BTreeSet<IpAddr>,
    /// The addresses that the host has on devices that are given whole: they leave it with those.
    pub(super) given_away: BTreeSet<IpAddr>,
    /// The devices that were chosen, kept from others.
    pub(super) looking: Vec<OperationLock>,
    /// A device that another looks at, where none was free.
    pub(super) busy: Option<PciAddress>,
}

/// What came of choosing.
pub(super) enum Choice {
    /// This, and what keeps it from others until it is recorded.
    Made(Vec<ChosenNetwork>, Option<ChosenService>, Vec<OperationLock>),
    /// None that is free, but another looks at this device and may let go of it.
    Busy(PciAddress),
}

impl<'a, K: Kernel> Chooser<'a, K> {
    pub(super) fn new(
        kernel: &'a mut K,
        context: &'a Context,
        id: &'a SandboxId,
        avoided: &'a BTreeSet<IpAddr>,
    ) -> Self {
        let (chosen, looking, given_away) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        Self { kernel, context, id, chosen, avoided, given_away, looking, busy: None }
    }

    /// Everything that `intent` needs, or the first thing that cannot be had.
    pub(super) fn choose(mut self, intent: &AttachmentIntent) -> Result<Choice, OperationError> {
        let mut networks = Vec::new();
        for network in &intent.networks {
            match (self.network(network), self.busy) {
                (Ok(chosen), _) => networks.push(chosen),
                (Err(OperationError::NoFreeDevice { .. }), Some(busy)) => {
                    return Ok(Choice::Busy(busy));
                }
                (Err(error), _) => return Err(error),
            }
        }
        let service = intent.service.as_ref().map(|service| self.service(service)).transpose()?;
        Ok(Choice::Made(networks, service, self.looking))
    }

    fn network(&mut self, intent: &NetworkIntent) -> Result<ChosenNetwork, OperationError> {
        self.busy = None;
        let (device, segments) = match intent.pool.kind {
            PoolKind::Sriov => self.vf(intent, &[])?,
            PoolKind::Bond => self.bond(intent)?,
            PoolKind::Made(upper) => self.parent(intent, upper)?,
            PoolKind::Vlan => self.vlan(intent)?,
            PoolKind::HostDevice => self.whole(intent)?,
        };
        self.macs(intent, &device, &segments)?;
        let addresses = self.addresses(intent, &segments)?;
        let rdma = self.rdma(intent, &device)?;
        Ok(ChosenNetwork { device, addresses, segments, rdma, intent: intent.clone() })
    }

    /// The functions whose VFs nobody is making anew, and why the others are left out.
    fn not_withheld(
        &self,
        functions: Vec<PhysicalFunction>,
    ) -> Result<(Vec<PhysicalFunction>, Vec<String>), OperationError> {
        let (mut given, mut unusable) = (Vec::new(), Vec::new());
        for function in functions {
            if self.context.leases.is_withheld(function.address)? {
                unusable.push(made_anew(&function.name));
            } else {
                given.push(function);
            }
        }
        Ok((given, unusable))
    }

    /// A free VF that is on no card of `beside`, and the wires that the pool's VFs are on: each of them may serve the network, so its
    /// addresses are on all.
    pub(super) fn vf(
        &mut self,
        intent: &NetworkIntent,
        beside: &[PciAddress],
    ) -> Result<(ChosenDevice, Vec<Segment>), OperationError> {
        let selector = &intent.pool.selector;
        let functions = self.kernel.physical_functions(selector).some()?;
        let ports: BTreeSet<Port> =
            functions.iter().map(|function| Port::Pci(function.address)).collect();
        let segments = intent.network.segments(ports);
        let (given, unusable) = self.not_withheld(functions)?;
        let mut passed = PassedOver { leased: 0, unusable };
        let mut members: Vec<Candidate> = given
            .into_iter()
            .flat_map(|function| function.vfs)
            .filter(|vf| selector.wants(vf.index, vf.address))
            .collect();
        // The one that has rested longest first: what was sent to the last tenant of a device is late for the next.
        members.sort_by_cached_key(|vf| self.context.leases.came_back(vf.address));
        let all = members.len();
        members.retain(|vf| !beside.iter().any(|card| card.shares_device(vf.pf_address)));
        if members.len() < all {
            passed.unusable.push("a bond's links are of two cards".to_owned());
        }
        if let Some(device) = intent.device {
            members.retain(|vf| vf.address == device);
            if members.is_empty() {
                passed
                    .unusable
                    .push(format!("{device}, which was chosen for this pod, is not there"));
            }
        }
        let total = members.len();
        for candidate in members {
            if self.passes_over(intent, candidate.address, &mut passed)
                || !self.kernel.matches(&candidate, selector)
            {
                continue;
            }
            let Some(looking) = self.context.leases.look_at(candidate.address)? else {
                self.busy = Some(candidate.address);
                continue;
            };
            // Asked again: from here on the answers stay as they are.
            if self.passes_over(intent, candidate.address, &mut passed) {
                continue;
            }
            if self.context.leases.is_withheld(candidate.pf_address)? {
                passed.unusable.push(made_anew(&candidate.pf_name));
                continue;
            }
            match self.usable(intent, &candidate, &segments)? {
                Ok(device) => match self.driven(intent, device) {
                    Ok(device) => {
                        self.chosen.insert(Claim::Device(candidate.address));
                        self.looking.push(looking);
                        return Ok((device, segments));
                    }
                    Err(why) => passed.unusable.push(format!("{} {why}", candidate.address)),
                },
                Err(why) => passed.unusable.push(format!("{} {why}", candidate.address)),
            }
        }
        Err(none_free(intent, total, passed))
    }

    /// Passes over a device that a lease holds, or that is kept for a pod and was not chosen for this one.
    pub(super) fn passes_over(
        &self,
        intent: &NetworkIntent,
        device: PciAddress,
        passed: &mut PassedOver,
    ) -> bool {
        if self.is_taken(&Claim::Device(device)) {
            passed.leased += 1;
            return true;
        }
        let is_kept = intent.device.is_none() && self.context.leases.is_allocated(device);
        if is_kept {
            passed.unusable.push(format!("{device} is kept for a pod"));
        }
        is_kept
    }

    /// Looks at a VF, or tells why it cannot be given.
    fn usable(
        &mut self,
        intent: &NetworkIntent,
        candidate: &Candidate,
        segments: &[Segment],
    ) -> Result<Result<Device, String>, OperationError> {
        // What a program drives has the MAC address that the card assigns.
        let assigns = intent.mac.is_some() || intent.pool.vfio.is_some();
        let touches_card = !intent.network.attributes.is_empty() || assigns;
        Ok(match self.kernel.observe_device(candidate, touches_card)? {
            Ok(device) if self.has_taken_mac(&device.link, segments) => {
                Err("has another sandbox's MAC".to_owned())
            }
            Ok(device) => Ok(device),
            Err(reason) => Err(reason.to_string()),
        })
    }

    /// A VF as its pool gives it, or why it cannot be given so.
    fn driven(&mut self, intent: &NetworkIntent, device: Device) -> Result<ChosenDevice, NotVfio> {
        let Some(vfio) = intent.pool.vfio else { return Ok(ChosenDevice::Vf(Box::new(device))) };
        let facts = self.kernel.vfio(device.candidate.address);
        match facts.refusal(vfio.noiommu) {
            Some(refusal) => Err(refusal),
            None => Ok(ChosenDevice::Vfio(Box::new(device), facts.driver_override)),
        }
    }

    pub(super) fn is_taken(&self, claim: &Claim) -> bool {
        self.chosen.contains(claim) || self.context.leases.is_taken(claim)
    }
}

fn made_anew(function: &KernelText) -> String {
    format!("{function}: its VFs are being made anew")
}

/// The devices that are not given.
#[derive(Default)]
pub(super) struct PassedOver {
    /// How many leases hold.
    pub(super) leased: usize,
    /// Why each of the others cannot be had.
    pub(super) unusable: Vec<String>,
}

pub(super) fn none_free(
    intent: &NetworkIntent,
    total: usize,
    passed: PassedOver,
) -> OperationError {
    let PassedOver { leased, unusable } = passed;
    OperationError::NoFreeDevice { pool: intent.network.pool.clone(), total, leased, unusable }
}
