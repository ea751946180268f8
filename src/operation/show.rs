//! Shows the containers of a pod what its claims gave it. Nothing is given here.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, OperationError};
use crate::{
    config::Publish,
    lease::{Attached, Lease, PreparedClaim},
    types::{Name, Uid},
};

/// Shows what the lease gives of devices that are claims'. It costs nothing where no pool is for claims, one system call for each VF
/// that no claim was given, and a look at every claim where the lease has a share of a parent.
pub(super) fn show(context: &Context, lease: &Lease) -> Result<(), OperationError> {
    let pools: BTreeSet<&Name> = context.config.published(Publish::Dra).collect();
    if pools.is_empty() {
        return Ok(());
    }
    let mut claims: BTreeMap<Uid, PreparedClaim> = BTreeMap::new();
    for device in lease.devices() {
        let claim = context.leases.claim_of(device)?;
        claims.extend(claim.map(|claim| (claim.uid.clone(), claim)));
    }
    let is_share = |had: &Attached| had.device.is_none() && pools.contains(&had.pool);
    if lease.networks.iter().any(is_share) {
        let all = context.leases.all_prepared()?.into_iter();
        let of_pod = all.filter(|claim| claim.vfs().next().is_none() && claim.is_of(lease));
        claims.extend(of_pod.map(|claim| (claim.uid.clone(), claim)));
    }
    for claim in claims.values() {
        context.leases.show(claim, Some(lease))?;
    }
    Ok(())
}
