//! Pods that a runtime lists when it connects, as far as something is to be done about them.

use std::collections::BTreeSet;

use containerd_nri::{Container, ContainerState, PodSandbox};

use super::{Pods, pod::PodRefused};
use crate::{frontend::kubelet::KubeletError, operation::Listed, types::quote};

/// Every pod of the list that asks for networks, and whether a container of it runs. Of one whose wish is none it is only told.
pub(super) async fn listed(
    known: &Pods,
    pods: &[PodSandbox],
    containers: &[Container],
) -> Vec<Listed> {
    let runs = |container: &&Container| {
        !matches!(container.state, ContainerState::Created | ContainerState::Stopped)
    };
    let running: BTreeSet<&str> =
        containers.iter().filter(runs).map(|container| &*container.pod_sandbox_id).collect();
    let mut listed = Vec::new();
    for pod in pods {
        match known.event(pod).await {
            Ok(Some(event)) => listed.push(Listed { event, runs: running.contains(&*pod.id) }),
            // One that has stopped has no namespace.
            Ok(None) | Err(PodRefused::NoNamespace) => {}
            // Whatever kubelet chose, it has that: only nobody can say so now.
            Err(PodRefused::Kubelet(KubeletError::Untold(_))) if known.has_a_lease(pod) => {}
            Err(reason) => {
                let (name, namespace) = (quote(&pod.name), quote(&pod.namespace));
                tracing::warn!(pod = %name, %namespace, %reason, "runs without what it asks for");
            }
        }
    }
    listed
}
