//! What kubelet chose for one pod, for a process that lives no longer than one call.

use std::path::Path;

use super::{KubeletError, Pod, asks_for_counted, claims, pod_resources::PodResourcesApi};
use crate::{
    config::Publish,
    operation::Context,
    request::{self, Counted, NetworkRequest},
};

/// What a pod asks for, with the devices that were chosen for it. The kubelet of this directory is asked only where it may have chosen
/// some.
pub fn requests(
    context: &Context,
    kubelet: &Path,
    pod: Pod<'_>,
    asked: Vec<NetworkRequest>,
) -> Result<Vec<NetworkRequest>, KubeletError> {
    let mut chosen = claims::of_pod(context, pod)?;
    if may_have_chosen(context, &asked)? {
        chosen.extend(by_kubelet(context, kubelet, pod)?);
    }
    Ok(request::with_devices(&context.config, asked, chosen)?)
}

fn may_have_chosen(context: &Context, asked: &[NetworkRequest]) -> Result<bool, KubeletError> {
    if context.config.published(Publish::DevicePlugin).next().is_none() {
        return Ok(false);
    }
    Ok(asks_for_counted(&context.config, asked) || !context.leases.counted()?.is_empty())
}

fn by_kubelet(
    context: &Context,
    kubelet: &Path,
    pod: Pod<'_>,
) -> Result<Vec<Counted>, KubeletError> {
    let waiter = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let waiter = waiter.map_err(KubeletError::System)?;
    Ok(waiter.block_on(PodResourcesApi::of(kubelet).of_pod(&context.config, pod))?)
}
