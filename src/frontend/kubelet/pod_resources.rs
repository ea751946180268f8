//! Asks kubelet which devices it gave to which pod (pod resources API, `v1`). Kubelet knows it before a pod's sandbox is run.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use grpc_unix::{CallError, Status, call};

use super::{
    Pod,
    message::{Empty, GetPod, GotPod, ListedPods, PodResources},
    resource,
};
use crate::{
    config::Config,
    request::Counted,
    types::{Allotted, with_causes},
};

/// Kubelet answers from memory. A pod's sandbox has two seconds for all that is done for it.
const LIMIT: Duration = Duration::from_millis(500);

/// Where kubelet tells of its pods.
#[derive(Debug, Clone)]
pub(super) struct PodResourcesApi {
    socket: PathBuf,
}

/// Kubelet does not say which devices it gave.
#[derive(Debug, thiserror::Error)]
#[error("ask kubelet at {} which devices it gave: {why}", .socket.display())]
pub struct Untold {
    socket: PathBuf,
    why: String,
}

impl PodResourcesApi {
    /// That of the kubelet whose directory this is.
    pub(super) fn of(kubelet: &Path) -> Self {
        Self { socket: kubelet.join("pod-resources/kubelet.sock") }
    }

    /// The devices of published pools that a pod was given; none where kubelet knows of no such pod.
    pub(super) async fn of_pod(
        &self,
        config: &Config,
        asked: Pod<'_>,
    ) -> Result<Vec<Counted>, Untold> {
        let Pod { namespace, name, .. } = asked;
        let asked = GetPod { name: name.to_owned(), namespace: namespace.to_owned() };
        let got: Result<GotPod, CallError> =
            call(&self.socket, "v1.PodResourcesLister/Get", &asked, LIMIT).await;
        let pod = match got {
            Ok(got) => got.pod,
            // Before Kubernetes 1.34 it is off, and a pod that is unknown is an error of the same code.
            Err(CallError::Refused(_)) => {
                let is_it = |pod: &PodResources| pod.namespace == namespace && pod.name == name;
                self.list().await?.into_iter().find(is_it)
            }
            Err(error) => return Err(self.untold(&error)),
        };
        Ok(pod.iter().flat_map(|pod| given(config, pod)).collect())
    }

    /// All devices of published pools that pods were given; `None` where no kubelet listens.
    pub(super) async fn of_all(&self, config: &Config) -> Result<Option<Vec<Counted>>, Untold> {
        if !self.socket.exists() {
            return Ok(None);
        }
        Ok(Some(self.list().await?.iter().flat_map(|pod| given(config, pod)).collect()))
    }

    async fn list(&self) -> Result<Vec<PodResources>, Untold> {
        let listed: Result<ListedPods, CallError> =
            call(&self.socket, "v1.PodResourcesLister/List", &Empty {}, LIMIT).await;
        Ok(listed.map_err(|error| self.untold(&error))?.pods)
    }

    fn untold(&self, error: &CallError) -> Untold {
        let why = match error {
            CallError::Connect(source) if source.kind() == io::ErrorKind::NotFound => {
                "no kubelet listens there".to_owned()
            }
            CallError::Refused(Status { message, .. }) => message.clone(),
            error => with_causes(error),
        };
        Untold { socket: self.socket.clone(), why }
    }
}

/// The devices of published pools that a pod has. Kubelet lists a device once for each of its NUMA nodes, in no order.
fn given(config: &Config, pod: &PodResources) -> Vec<Counted> {
    let of_pod = pod.containers.iter().flat_map(|container| &container.devices);
    let mut given: Vec<Counted> = of_pod
        .filter_map(|devices| Some((resource::pool(config, &devices.resource_name)?, &devices.ids)))
        .flat_map(|(pool, ids)| ids.iter().map(move |id| (pool, id)))
        .filter_map(|(pool, id)| {
            let device = Allotted::Vf(id.parse().ok()?);
            Some(Counted { pool: pool.clone(), device, wish: None })
        })
        .collect();
    given.sort_by_key(|counted| counted.device);
    given.dedup();
    given
}
