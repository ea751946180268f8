//! What a workload is told of the devices of its claims: the same as their slices say. Looks only.

use std::collections::BTreeMap;

use serde_json::Value;
use vfhook::{
    kernel::LinuxKernel,
    lease::{DeviceMetadata, PreparedClaim, PreparedDevice},
    operation::{Context, OperationError},
    types::Name,
};

use crate::{names, offer, slice};

/// What is told of each device of a claim, in their order. Of one that is not there nothing is known; it cannot be prepared either.
pub(crate) fn devices(
    kernel: &mut LinuxKernel,
    context: &Context,
    node: &str,
    claim: &PreparedClaim,
) -> Result<Vec<DeviceMetadata>, OperationError> {
    let mut pools: BTreeMap<&Name, Vec<Value>> = BTreeMap::new();
    for had in &claim.devices {
        if !pools.contains_key(&had.pool) {
            let offered = offer::of_pool(kernel, context, &had.pool)?;
            let devices = offered.iter().map(|one| slice::device(&had.pool, one)).collect();
            pools.insert(&had.pool, devices);
        }
    }
    let told = |had: &PreparedDevice| {
        let name = names::device((&had.device).into());
        let of_pool = pools.get(&had.pool).into_iter().flatten();
        let mut found = of_pool.filter(|device| device["name"] == *name);
        let attributes = found.next().and_then(|device| device["attributes"].as_object().cloned());
        DeviceMetadata {
            pool: names::pool(node, &had.pool),
            attributes: attributes.unwrap_or_default(),
            name,
        }
    };
    Ok(claim.devices.iter().map(told).collect())
}
