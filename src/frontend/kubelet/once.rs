//! What kubelet chose for one pod, for a process that lives no longer than one call.

use std::path::Path;

use super::{
    KubeletError, Pod, asks_for_counted, pod_resources::PodResourcesApi, resource, with_chosen,
};
use crate::{operation::Context, request::NetworkRequest};

/// What a pod asks for, with the devices that the kubelet of this directory chose for it. Kubelet is asked only where it may have chosen
/// some.
pub fn requests(
    context: &Context,
    kubelet: &Path,
    pod: Pod<'_>,
    asked: Vec<NetworkRequest>,
) -> Result<Vec<NetworkRequest>, KubeletError> {
    let config = &context.config;
    if resource::published(config).next().is_none() {
        return Ok(asked);
    }
    if !asks_for_counted(config, &asked) && context.leases.allocated()?.is_empty() {
        return Ok(asked);
    }
    let waiter = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let waiter = waiter.map_err(KubeletError::System)?;
    waiter.block_on(with_chosen(&PodResourcesApi::of(kubelet), config, pod, asked))
}
