//! A `ResourceClaim` (`resource.k8s.io/v1`) as the scheduler left it, made into what its pod is to have. Its class is an administrator's,
//! the rest a stranger's: everything is checked here, once. Pure.

mod object;
mod parameters;

pub(crate) use self::object::ResourceClaim;
use self::{
    object::{Configured, Consumer, Given},
    parameters::{ParametersError, Wish},
};
use vfhook::{
    lease::{ClaimMetadata, ClaimedDevice, PreparedClaim, PreparedDevice},
    types::{Invalid, quote},
};

use crate::names::{self, DRIVER};

/// Why a claim is not for this driver to prepare.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimRefused {
    #[error("the claim is another one by now: kubelet means {meant}, the API server has {found}")]
    Other { meant: String, found: String },
    #[error("the claim has no allocation")]
    NotAllocated,
    #[error(
        "the claim is reserved for {0} users: a VF is one pod's; give each pod its own claim by a ResourceClaimTemplate"
    )]
    Shared(usize),
    #[error("the claim is reserved for {0}, which is no pod")]
    NotAPod(String),
    #[error("request {0} has adminAccess, which would give a VF that is another's")]
    Admin(String),
    #[error("request {request} has device {device} of pool {pool}, which is none of this node's")]
    Elsewhere { request: String, pool: String, device: String },
    #[error("the configuration of request {request}, {whose}")]
    Parameters { request: String, whose: &'static str, source: ParametersError },
    #[error("the claim's {0}")]
    Malformed(&'static str, #[source] Invalid),
}

/// What the pod of a claim is to have on this node, when kubelet means the claim of this identity.
pub(crate) fn prepared(
    claim: &ResourceClaim,
    node: &str,
    meant: &str,
) -> Result<PreparedClaim, ClaimRefused> {
    let meta = &claim.metadata;
    if meta.uid != meant {
        let (meant, found) = (meant.to_owned(), meta.uid.clone());
        return Err(ClaimRefused::Other { meant, found });
    }
    let allocation = claim.status.allocation.as_ref().ok_or(ClaimRefused::NotAllocated)?;
    let pod = only_pod(&claim.status.reserved_for)?;
    let own = allocation.devices.results.iter().filter(|given| given.driver == DRIVER);
    let device = |given: &Given| device(given, &allocation.devices.config, node);
    let pod_claim_name = meta.pod_claim_name().map(str::parse);
    Ok(PreparedClaim {
        uid: meta.uid.parse().map_err(malformed("uid"))?,
        namespace: meta.namespace.clone(),
        name: meta.name.parse().map_err(malformed("name"))?,
        pod: pod.uid.parse().map_err(malformed("pod's uid"))?,
        pod_name: pod.name.clone(),
        devices: own.map(device).collect::<Result<_, _>>()?,
        metadata: ClaimMetadata {
            pod_claim_name: pod_claim_name.transpose().map_err(malformed("name in its pod"))?,
            // They are looked at when they are prepared.
            devices: Vec::new(),
        },
    })
}

fn malformed(what: &'static str) -> impl Fn(Invalid) -> ClaimRefused {
    move |error| ClaimRefused::Malformed(what, error)
}

fn only_pod(users: &[Consumer]) -> Result<&Consumer, ClaimRefused> {
    match users {
        [one] if one.resource == "pods" && one.api_group.is_empty() => Ok(one),
        [one] => Err(ClaimRefused::NotAPod(format!("{} {}", one.resource, quote(&one.name)))),
        several => Err(ClaimRefused::Shared(several.len())),
    }
}

fn device(
    given: &Given,
    configured: &[Configured],
    node: &str,
) -> Result<PreparedDevice, ClaimRefused> {
    if given.admin_access {
        return Err(ClaimRefused::Admin(given.request.clone()));
    }
    let found = names::own_pool(node, &given.pool).zip(own_device(given)?);
    let (pool, device) = found.ok_or_else(|| ClaimRefused::Elsewhere {
        request: given.request.clone(),
        pool: given.pool.clone(),
        device: given.device.clone(),
    })?;
    let wish = wish(given, configured)?;
    let request = given.request.parse().map_err(malformed("request"))?;
    Ok(PreparedDevice { request, pool, device, wish })
}

/// The VF, or the share of a parent, that was given; `None` for what nothing of ours is called.
fn own_device(given: &Given) -> Result<Option<ClaimedDevice>, ClaimRefused> {
    let Some(share) = &given.share_id else {
        return Ok(names::own_vf(&given.device).map(ClaimedDevice::Vf));
    };
    let share = share.parse().map_err(malformed("share's id"))?;
    Ok((given.device == names::PARENT).then_some(ClaimedDevice::Share(share)))
}

/// What a device is for: as its class says, and over that, as the claim says.
fn wish(
    given: &Given,
    configured: &[Configured],
) -> Result<Option<vfhook::request::NetworkRequest>, ClaimRefused> {
    let mut wish = Wish::default();
    let mut whose = "of its class";
    let wrong =
        |whose, source| ClaimRefused::Parameters { request: given.request.clone(), whose, source };
    let own = configured.iter().filter(|one| one.is_for(&given.request));
    for (opaque, is_of_class) in own.filter_map(|one| Some((one.own()?, one.is_of_class()))) {
        whose = if is_of_class { "of its class" } else { "of the claim" };
        wish.add(opaque, is_of_class).map_err(|source| wrong(whose, source))?;
    }
    wish.request().map_err(|source| wrong(whose, source))
}

#[cfg(test)]
mod tests;
