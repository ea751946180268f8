//! Whether a sandbox could be given anything at all: the short question that runtimes ask again and again. Looks only, and asks no
//! card's driver; `doctor` says what is wrong in full.

use super::whole_device;
use crate::{
    config::{Config, Pool, PoolKind},
    kernel::Kernel,
    lease::{Claim, LeaseStore},
    types::with_causes,
};

/// Why no sandbox could be given anything; `None` where one pool at least has a device. One that is leased counts: it comes back.
pub fn unready(
    kernel: &mut impl Kernel,
    config: &Config,
    leases: Option<&LeaseStore>,
) -> Option<String> {
    let mut reasons = Vec::new();
    for (name, pool) in &config.pools {
        let lacks = match pool.kind {
            PoolKind::HostDevice => whole_device::lacks(kernel, leases, name, pool),
            // Its links are of other pools, which tell for themselves.
            PoolKind::Bond => continue,
            _ => lacks(kernel, pool, leases),
        };
        match lacks {
            None => return None,
            Some(why) => reasons.push(format!("pool {name}: {why}")),
        }
    }
    if reasons.is_empty() {
        reasons.push("the configuration has no pool".to_owned());
    }
    Some(format!("{}; see `vfhook doctor`", reasons.join("; ")))
}

fn lacks(kernel: &mut impl Kernel, pool: &Pool, leases: Option<&LeaseStore>) -> Option<String> {
    if pool.kind.is_made() {
        let missing = |parent| kernel.observe_link(parent).err();
        return pool.selector.pf.iter().find_map(missing).map(|error| with_causes(&error));
    }
    let functions = kernel.physical_functions(&pool.selector);
    let vfs = functions.found.iter().flat_map(|function| &function.vfs);
    let mut wanted = vfs.filter(|vf| pool.selector.wants(vf.index, vf.address));
    let is_leased = |address| leases.is_some_and(|leases| leases.is_taken(&Claim::Device(address)));
    let usable = wanted.any(|vf| {
        is_leased(vf.address)
            || (kernel.matches(vf, &pool.selector)
                && kernel.binding(vf.address).interface.is_some())
    });
    if usable {
        return None;
    }
    let missing = functions.missing.first().map(|error| with_causes(error));
    Some(missing.unwrap_or_else(|| "no VF of it is leased or has a network driver".to_owned()))
}
