//! A pod as the runtime tells of it, made into a sandbox event. The annotations are a stranger's; the namespace is not.

use containerd_nri::PodSandbox;

use crate::{
    request::{self, AnnotationError, NETWORKS, SERVICE_PATH, SandboxEvent},
    types::{Invalid, NetnsSource, Origin},
};

/// Why a pod cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum PodRefused {
    /// Its annotation is wrong.
    #[error("vfhook: {0}")]
    Annotation(#[from] AnnotationError),
    /// Its id is none.
    #[error("vfhook: the runtime's id of the sandbox: {0}")]
    Id(#[from] Invalid),
    /// It has no namespace of its own.
    #[error(
        "vfhook: the pod asks for networks and has no network namespace of its own (host network, or a runtime in a VM)"
    )]
    NoNamespace,
}

/// Whether the pod asks for anything.
pub(super) fn asks(pod: &PodSandbox) -> bool {
    pod.annotations.contains_key(NETWORKS)
}

/// What the pod asks for; `None` when it asks for nothing.
pub(super) fn event(pod: &PodSandbox) -> Result<Option<SandboxEvent>, PodRefused> {
    let Some(asked) = pod.annotations.get(NETWORKS) else { return Ok(None) };
    let networks = request::networks(asked)?;
    let opt_out = pod.annotations.get(SERVICE_PATH).map(String::as_str);
    let service_path_off = request::service_path_off(opt_out)?;
    let network = pod.namespace_of_type("network").filter(|network| !network.path.is_empty());
    let path = network.map(|network| network.path.clone()).ok_or(PodRefused::NoNamespace)?;
    Ok(Some(SandboxEvent {
        id: pod.id.parse()?,
        origin: Origin::Nri,
        netns: NetnsSource::Path(path.into()),
        namespace: Some(pod.namespace.clone()),
        networks,
        service_path_off,
    }))
}
