//! Chooses addresses of a network that is the whole cluster's: those of blocks that this node owns, by what was published of them, and
//! nobody is asked. A part of choosing.

use std::net::IpAddr;

use address_blocks::{Grant, Standing};
use ipnet::IpNet;

use super::{Context, GrantError, OperationError, address::For, choose::Chooser};
use crate::{
    config::{Config, Network},
    kernel::Kernel,
    lease::{Lease, LeaseStore},
    plan::seed,
    request::NetworkIntent,
    types::{AddressRange, Name, with_causes},
};

impl<K: Kernel> Chooser<'_, K> {
    /// One free address of each family that the network has.
    pub(super) fn granted(
        &mut self,
        intent: &NetworkIntent,
        whose: &For,
    ) -> Result<Vec<IpNet>, OperationError> {
        let mut found = Vec::new();
        for ipv6 in [false, true] {
            if intent.network.addresses.iter().any(|range| range.is_ipv6() == ipv6) {
                found.push(self.one_granted(intent, ipv6, whose)?);
            }
        }
        Ok(found)
    }

    fn one_granted(
        &mut self,
        intent: &NetworkIntent,
        ipv6: bool,
        whose: &For,
    ) -> Result<IpNet, OperationError> {
        let (network, family) = (intent.name.clone(), if ipv6 { 6 } else { 4 });
        let grant = self.context.leases.grant(&network, ipv6)?;
        let grant = grant.ok_or_else(|| GrantError::Absent { network: network.clone(), family })?;
        if grant.valid == 0 {
            return Err(GrantError::Expired { network, family }.into());
        }
        let grid = intent.network.grid(ipv6);
        let mut all: Vec<IpAddr> = grid.iter().flat_map(|grid| grant.given(grid)).collect();
        let first = seed(self.id, Some(&network)).checked_rem(all.len() as u64).unwrap_or(0);
        all.rotate_left(usize::try_from(first).unwrap_or(0));
        for address in all.into_iter().filter_map(|address| whole(&intent.network, address)) {
            let at = address.addr();
            let passed_over = whose.reserves(address) || self.avoided.contains(&at);
            if !passed_over && !self.rests(&network, at)? && self.holder(whose, at)?.is_none() {
                self.chosen.extend(whose.claims(at));
                return Ok(address);
            }
        }
        let open = grant.blocks.values().filter(|block| block.standing == Standing::Open).count();
        let more = grant.blocks.len() - open;
        Err(GrantError::Full { network, family, open, more }.into())
    }

    /// Refuses an address that was asked for and is not this node's to give now.
    pub(super) fn must_be_granted(
        &self,
        intent: &NetworkIntent,
        address: IpAddr,
    ) -> Result<(), OperationError> {
        if gives(self.context, &intent.name, &intent.network, address)? {
            return Ok(());
        }
        Err(GrantError::NotOurs { network: intent.name.clone(), address }.into())
    }

    fn rests(&self, network: &Name, address: IpAddr) -> Result<bool, OperationError> {
        Ok(self.context.leases.rests(network, address)? > 0)
    }
}

/// Whether the addresses of a lease are this node's to give still. Asked under the lock under which it is recorded: what is published
/// without a block is published under the same, so nobody is given anything of it from there on.
pub(super) fn are_granted_still(context: &Context, lease: &Lease) -> Result<bool, OperationError> {
    for had in &lease.networks {
        let network = context.config.networks.get(&had.network);
        let Some(network) = network.filter(|network| network.blocks.is_some()) else { continue };
        for address in had.addresses.iter().map(IpNet::addr) {
            if !gives(context, &had.network, network, address)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether this node may give `address` now, whoever has it.
fn gives(
    context: &Context,
    name: &Name,
    network: &Network,
    address: IpAddr,
) -> Result<bool, OperationError> {
    let Some(grid) = network.grid(address.is_ipv6()) else { return Ok(true) };
    let grant: Option<Grant> = context.leases.grant(name, address.is_ipv6())?;
    let is_given = grant.is_some_and(|grant| grant.gives(&grid, address));
    Ok(is_given && context.leases.rests(name, address)? == 0)
}

/// An address with the length of the prefix that it is configured with.
fn whole(network: &Network, address: IpAddr) -> Option<IpNet> {
    let range = network.addresses.iter().find(|range| range.contains_address(address));
    IpNet::new(address, range.and_then(AddressRange::network)?.prefix_len()).ok()
}

/// Why this node may give nothing of networks that are the cluster's.
pub(super) fn ungranted(config: &Config, leases: &LeaseStore) -> Vec<String> {
    let shared = config.networks.iter().filter(|(_, network)| network.blocks.is_some());
    let families = shared.flat_map(|(name, network)| {
        let has = |ipv6: &bool| network.addresses.iter().any(|range| range.is_ipv6() == *ipv6);
        [false, true].into_iter().filter(has).map(move |ipv6| (name, ipv6)).collect::<Vec<_>>()
    });
    let why = |(name, ipv6): (&Name, bool)| {
        let (network, family) = (name.clone(), if ipv6 { 6 } else { 4 });
        match leases.grant(name, ipv6) {
            Ok(Some(grant)) if grant.valid > 0 => None,
            Ok(Some(_)) => Some(GrantError::Expired { network, family }.to_string()),
            Ok(None) => Some(GrantError::Absent { network, family }.to_string()),
            Err(error) => Some(with_causes(&error)),
        }
    };
    families.filter_map(why).collect()
}
