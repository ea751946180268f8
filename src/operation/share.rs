//! What the agent of a cluster asks of this node: who is on a network's wire, and how many devices could still need an address.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Context, OperationError};
use crate::{
    config::{Network, Pool, PoolKind},
    kernel::Kernel,
    lease::Claim,
    types::{DeviceName, Name},
};

/// Who on the wire of a network answers for which of `addresses`, asked from every card or parent of its pool. Where no interface of the
/// host is on that wire the configuration has each address asked for when it is given (`conflict_check`), and nobody is asked here.
pub fn survey(
    kernel: &mut impl Kernel,
    context: &Context,
    network: &Name,
    addresses: &[IpAddr],
) -> Result<BTreeSet<IpAddr>, OperationError> {
    let Some((network, pool)) = of(context, network).filter(|(network, _)| !network.conflict_check)
    else {
        return Ok(BTreeSet::new());
    };
    debug_assert!(network.blocks.is_some(), "asked for a network that is this node's alone");
    let names: Vec<DeviceName> = match pool.kind {
        PoolKind::Sriov => {
            let functions = kernel.physical_functions(&pool.selector).some()?;
            functions.into_iter().map(|card| DeviceName::Address(card.address)).collect()
        }
        _ => pool.selector.pf.iter().take(1).cloned().collect(),
    };
    let mut answered = BTreeSet::new();
    for name in names {
        let from = kernel.observe_link(&name)?;
        answered.extend(kernel.survey_wire(&from, addresses)?.into_keys());
    }
    Ok(answered)
}

/// How many devices of a network's pool no lease has; what is made on a parent has no end.
pub fn free_devices(
    kernel: &mut impl Kernel,
    context: &Context,
    network: &Name,
) -> Result<u32, OperationError> {
    let Some((_, pool)) = of(context, network) else { return Ok(0) };
    if pool.kind != PoolKind::Sriov {
        return Ok(u32::MAX);
    }
    let functions = kernel.physical_functions(&pool.selector).some()?;
    let members = functions.iter().flat_map(|card| &card.vfs);
    let free = members.filter(|vf| {
        pool.selector.wants(vf.index, vf.address)
            && !context.leases.is_taken(&Claim::Device(vf.address))
    });
    Ok(u32::try_from(free.count()).unwrap_or(u32::MAX))
}

fn of<'a>(context: &'a Context, network: &Name) -> Option<(&'a Network, &'a Pool)> {
    let network = context.config.networks.get(network)?;
    Some((network, context.config.pools.get(&network.pool)?))
}
