//! What a pod is to have by its claims, which whoever prepared them left in the state directory. It asks nobody.

use super::{KubeletError, Pod};
use crate::{config::Publish, operation::Context, request::Counted, types::Uid};

/// The devices of a pod's claims. Costs one system call, and none where no pool is published to claims.
pub(super) fn of_pod(context: &Context, pod: Pod<'_>) -> Result<Vec<Counted>, KubeletError> {
    if context.config.published(Publish::Dra).next().is_none() {
        return Ok(Vec::new());
    }
    // What is no identity is no pod's of Kubernetes.
    let Ok(uid) = pod.uid.parse::<Uid>() else { return Ok(Vec::new()) };
    let claims = context.leases.claims_of(&uid)?.into_iter();
    // A claim is of its own namespace's pods, whoever made up an identity.
    let own = claims.filter(|claim| claim.namespace == pod.namespace);
    let devices = own.flat_map(|claim| claim.devices);
    let counted = devices.map(|had| {
        let device = (&had.device).into();
        Counted { pool: had.pool, device, wish: had.wish }
    });
    Ok(counted.collect())
}
