//! Chooses a device and addresses that no lease holds. Runs under the table lock, so that a choice holds until it is recorded.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{Context, OperationError};
use crate::{
    config::{PoolKind, ServicePath},
    inventory::{Candidate, Device, Unusable},
    kernel::Kernel,
    lease::Claim,
    plan::{ChosenDevice, ChosenNetwork, ChosenService, candidates, seed},
    request::{AttachmentIntent, NetworkIntent, ServiceIntent},
    types::{AddressRange, Name, SandboxId, kept_by_network},
};

/// What is chosen for one sandbox so far.
pub(super) struct Chooser<'a, K> {
    kernel: &'a mut K,
    context: &'a Context,
    id: &'a SandboxId,
    chosen: BTreeSet<Claim>,
}

impl<'a, K: Kernel> Chooser<'a, K> {
    pub(super) fn new(kernel: &'a mut K, context: &'a Context, id: &'a SandboxId) -> Self {
        Self { kernel, context, id, chosen: BTreeSet::new() }
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
        self.refuse_taken_mac(intent)?;
        let device = match intent.pool.kind {
            PoolKind::Sriov => ChosenDevice::Vf(Box::new(self.vf(intent)?)),
            PoolKind::Macvlan => ChosenDevice::Macvlan(Box::new(self.parent(intent)?)),
        };
        Ok(ChosenNetwork { device, addresses: self.addresses(intent)?, intent: intent.clone() })
    }

    /// Who has a neighbour's MAC address gets the neighbour's packets. Few requests choose one, so it is no claim of its own.
    fn refuse_taken_mac(&self, intent: &NetworkIntent) -> Result<(), OperationError> {
        let Some(mac) = intent.mac else { return Ok(()) };
        let (leases, _) = self.context.leases.all()?;
        if leases.iter().flat_map(|lease| &lease.networks).any(|had| had.mac == Some(mac)) {
            return Err(OperationError::MacTaken { network: intent.name.clone(), mac });
        }
        Ok(())
    }

    fn parent(&mut self, intent: &NetworkIntent) -> Result<crate::inventory::Link, OperationError> {
        let Some(name) = intent.pool.selector.pf.first() else {
            return Err(none_free(intent, 0, 0, Vec::new()));
        };
        Ok(self.kernel.observe_link(name)?)
    }

    fn vf(&mut self, intent: &NetworkIntent) -> Result<Device, OperationError> {
        let selector = &intent.pool.selector;
        let functions = self.kernel.physical_functions(selector)?;
        let members: Vec<Candidate> = functions
            .into_iter()
            .flat_map(|function| function.vfs)
            .filter(|vf| selector.wants(vf.index, vf.address))
            .collect();
        let total = members.len();
        let (mut leased, mut unusable) = (0, Vec::new());
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
                Ok(device) => {
                    self.chosen.insert(Claim::Device(candidate.address));
                    return Ok(device);
                }
                Err(reason) => unusable.push(shown(&candidate, &reason)),
            }
        }
        Err(none_free(intent, total, leased, unusable))
    }

    fn addresses(&mut self, intent: &NetworkIntent) -> Result<Vec<IpNet>, OperationError> {
        let claim = |address: &IpNet| Claim::Address(intent.name.clone(), address.addr());
        if !intent.addresses.is_empty() {
            for address in &intent.addresses {
                if self.is_taken(&claim(address)) {
                    return Err(OperationError::AddressTaken {
                        network: intent.name.clone(),
                        address: address.addr(),
                    });
                }
                self.chosen.insert(claim(address));
            }
            return Ok(intent.addresses.clone());
        }
        let ranges = &intent.network.addresses;
        let free = |address: &IpNet| intent.network.reserved(*address).is_none();
        self.one_of_each_family(ranges, Some(&intent.name), free, |address| claim(&address))
    }

    fn service(&mut self, intent: &ServiceIntent) -> Result<ChosenService, OperationError> {
        match intent {
            ServiceIntent::Existing { interface, cidrs } => {
                Ok(ChosenService::Existing { interface: interface.clone(), cidrs: cidrs.clone() })
            }
            ServiceIntent::Veth { interface, cidrs, source } => {
                let next_hops = [ServicePath::next_hop(false), ServicePath::next_hop(true)];
                let free = |address: &IpNet| {
                    !next_hops.contains(&address.addr()) && kept_by_network(*address).is_none()
                };
                let sources = self.one_of_each_family(source, None, free, |address| {
                    Claim::Source(address.addr())
                })?;
                Ok(ChosenService::Veth {
                    interface: interface.clone(),
                    cidrs: cidrs.clone(),
                    sources: sources.iter().map(IpNet::addr).collect(),
                    masqueraded: source.iter().filter_map(AddressRange::network).collect(),
                })
            }
        }
    }

    /// The first free address of each family that `ranges` has.
    fn one_of_each_family(
        &mut self,
        ranges: &[AddressRange],
        network: Option<&Name>,
        usable: impl Fn(&IpNet) -> bool,
        claim: impl Fn(IpNet) -> Claim,
    ) -> Result<Vec<IpNet>, OperationError> {
        let mut found = Vec::new();
        for ipv6 in [false, true] {
            if !ranges.iter().any(|range| range.is_ipv6() == ipv6) {
                continue;
            }
            let mut tried = candidates(ranges, ipv6, seed(self.id, network));
            let free = tried.find(|address| usable(address) && !self.is_taken(&claim(*address)));
            let address = free.ok_or_else(|| OperationError::NoFreeAddress {
                network: network.map_or_else(|| "service path".to_owned(), ToString::to_string),
                family: if ipv6 { 6 } else { 4 },
            })?;
            self.chosen.insert(claim(address));
            found.push(address);
        }
        Ok(found)
    }

    fn is_taken(&self, claim: &Claim) -> bool {
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
