//! Shows the containers of a pod what its claims gave it. Nothing is given here.

use std::collections::BTreeSet;

use super::{Context, OperationError};
use crate::{
    config::Publish,
    lease::{Lease, LeaseError, LeaseStore},
};

/// Shows what the lease gives of devices that are claims'. It costs nothing where no pool is for claims, and one system call for each
/// device that no claim was given.
pub(super) fn show(context: &Context, lease: &Lease) -> Result<(), OperationError> {
    if context.config.published(Publish::Dra).next().is_none() {
        return Ok(());
    }
    Ok(of_claims(&context.leases, lease)?)
}

fn of_claims(leases: &LeaseStore, lease: &Lease) -> Result<(), LeaseError> {
    let mut shown = BTreeSet::new();
    for device in lease.networks.iter().filter_map(|had| had.device) {
        let Some(claim) = leases.claim_of(device)? else { continue };
        if shown.insert(claim.uid.clone()) {
            leases.show(&claim, Some(lease))?;
        }
    }
    Ok(())
}
