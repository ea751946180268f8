//! Pods that a runtime lists when it connects, as far as something is to be done about them. Looks at nothing but the list.

use std::collections::BTreeSet;

use containerd_nri::{Container, ContainerState, PodSandbox};

use super::pod::{self, PodRefused};
use crate::{operation::Listed, types::quote};

/// Every pod of the list that asks for networks, and whether a container of it runs. Of one whose wish is none it is only told.
pub(super) fn listed(pods: &[PodSandbox], containers: &[Container]) -> Vec<Listed> {
    let runs = |container: &&Container| {
        !matches!(container.state, ContainerState::Created | ContainerState::Stopped)
    };
    let running: BTreeSet<&str> =
        containers.iter().filter(runs).map(|container| &*container.pod_sandbox_id).collect();
    let one = |pod: &PodSandbox| match pod::event(pod) {
        Ok(event) => event.map(|event| Listed { event, runs: running.contains(&*pod.id) }),
        // So is one that has stopped.
        Err(PodRefused::NoNamespace) => None,
        Err(reason) => {
            let (name, namespace) = (quote(&pod.name), quote(&pod.namespace));
            tracing::warn!(pod = %name, %namespace, %reason, "runs without what it asks for");
            None
        }
    };
    pods.iter().filter_map(one).collect()
}
