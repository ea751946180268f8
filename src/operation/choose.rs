//! Chooses a device that no lease holds; `address` chooses what it has on its wire. Runs under the table lock, so that a choice holds until it is recorded.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Context, OperationError};
use crate::{
    config::PoolKind,
    inventory::{Candidate, PhysicalFunction, Unusable},
    kernel::Kernel,
    lease::Claim,
    plan::{ChosenDevice, ChosenNetwork, ChosenService},
    request::{AttachmentIntent, NetworkIntent},
    types::{Port, SandboxId, Segment},
};

/// What is chosen for one sandbox so far.
pub(super) struct Chooser<'a, K> {
    pub(super) kernel: &'a mut K,
    pub(super) context: &'a Context,
    pub(super) id: &'a SandboxId,
    pub(super) chosen: BTreeSet<Claim>,
    /// Addresses that somebody on the wire has.
    pub(super) avoided: &'a BTreeSet<IpAddr>,
}

impl<'a, K: Kernel> Chooser<'a, K> {
    pub(super) fn new(
        kernel: &'a mut K,
        context: &'a Context,
        id: &'a SandboxId,
        avoided: &'a BTreeSet<IpAddr>,
    ) -> Self {
        Self { kernel, context, id, chosen: BTreeSet::new(), avoided }
    }

    /// Everything that `intent` needs, or the first thing that cannot be had.
    pub(super) fn choose(
        mut self,
        intent: &AttachmentIntent,
    ) -> Result<(Vec<ChosenNetwork>, Option<ChosenService>), OperationError> {
        let networks = intent
            .networks
            .iter()
            .map(|network| self.network(network))
            .collect::<Result<Vec<_>, _>>()?;
        let service = intent.service.as_ref().map(|service| self.service(service)).transpose()?;
        Ok((networks, service))
    }

    fn network(&mut self, intent: &NetworkIntent) -> Result<ChosenNetwork, OperationError> {
        let (device, segments) = match intent.pool.kind {
            PoolKind::Sriov => self.vf(intent)?,
            PoolKind::Macvlan => self.parent(intent)?,
        };
        self.macs(intent, &device, &segments)?;
        let addresses = self.addresses(intent, &segments)?;
        Ok(ChosenNetwork { device, addresses, segments, intent: intent.clone() })
    }

    /// The parent of a macvlan, and the wires that it leads to.
    fn parent(
        &mut self,
        intent: &NetworkIntent,
    ) -> Result<(ChosenDevice, Vec<Segment>), OperationError> {
        let Some(name) = intent.pool.selector.pf.first() else {
            return Err(none_free(intent, 0, 0, Vec::new()));
        };
        let parent = self.kernel.observe_link(name)?;
        let segments = self.kernel.segments_of(&parent);
        Ok((ChosenDevice::Macvlan(Box::new(parent)), segments))
    }

    /// The functions whose VFs nobody is making anew, and why the others are left out.
    fn not_withheld(
        &self,
        functions: Vec<PhysicalFunction>,
    ) -> Result<(Vec<PhysicalFunction>, Vec<String>), OperationError> {
        let (mut given, mut unusable) = (Vec::new(), Vec::new());
        for function in functions {
            if self.context.leases.is_withheld(function.address)? {
                unusable.push(format!("{}: its VFs are being made anew", function.name));
            } else {
                given.push(function);
            }
        }
        Ok((given, unusable))
    }

    /// A free VF, and the wires that the pool's VFs are on: each of them may serve the network, so its addresses are on all.
    fn vf(
        &mut self,
        intent: &NetworkIntent,
    ) -> Result<(ChosenDevice, Vec<Segment>), OperationError> {
        let selector = &intent.pool.selector;
        let functions = self.kernel.physical_functions(selector).some()?;
        let ports: BTreeSet<Port> =
            functions.iter().map(|function| Port::Pci(function.address)).collect();
        let segments = intent.network.segments(ports);
        let (given, mut unusable) = self.not_withheld(functions)?;
        let mut members: Vec<Candidate> = given
            .into_iter()
            .flat_map(|function| function.vfs)
            .filter(|vf| selector.wants(vf.index, vf.address))
            .collect();
        // The one that has rested longest first: what was sent to the last tenant of a device is late for the next.
        members.sort_by_cached_key(|vf| self.context.leases.came_back(vf.address));
        let total = members.len();
        let mut leased = 0;
        for candidate in members {
            if self.is_taken(&Claim::Device(candidate.address)) {
                leased += 1;
                continue;
            }
            if !self.kernel.matches(&candidate, selector) {
                continue;
            }
            let touches_card = !intent.network.attributes.is_empty() || intent.mac.is_some();
            match self.kernel.observe_device(&candidate, touches_card)? {
                Ok(device) if self.has_taken_mac(&device, &segments) => {
                    unusable.push(format!("{} has another sandbox's MAC", candidate.address));
                }
                Ok(device) => {
                    self.chosen.insert(Claim::Device(candidate.address));
                    return Ok((ChosenDevice::Vf(Box::new(device)), segments));
                }
                Err(reason) => unusable.push(shown(&candidate, &reason)),
            }
        }
        Err(none_free(intent, total, leased, unusable))
    }

    pub(super) fn is_taken(&self, claim: &Claim) -> bool {
        self.chosen.contains(claim) || self.context.leases.is_taken(claim)
    }
}

fn shown(candidate: &Candidate, reason: &Unusable) -> String {
    format!("{} {reason}", candidate.address)
}

fn none_free(
    intent: &NetworkIntent,
    total: usize,
    leased: usize,
    unusable: Vec<String>,
) -> OperationError {
    OperationError::NoFreeDevice { pool: intent.network.pool.clone(), total, leased, unusable }
}
