//! A pod as the runtime tells of it, made into a sandbox event. The annotations are a stranger's; the namespace is not.

use containerd_nri::PodSandbox;

use crate::{
    frontend::kubelet::KubeletError,
    request::{self, AnnotationError, Asked, SandboxEvent},
    types::{Invalid, NetnsSource, Origin, Outside},
};

/// Why a pod cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PodRefused {
    /// Its annotation is wrong.
    #[error("vfhook: {0}")]
    Annotation(#[from] AnnotationError),
    /// It is not known what kubelet chose for it, or that fits nothing.
    #[error("vfhook: {0}")]
    Kubelet(#[from] KubeletError),
    /// Its id is none.
    #[error("vfhook: the runtime's id of the sandbox: {0}")]
    Id(#[from] Invalid),
    /// It has no namespace of its own.
    #[error(
        "vfhook: the pod asks for networks and has no network namespace of its own (host network, or a runtime in a VM)"
    )]
    NoNamespace,
}

/// The pod, which is to have this.
pub fn event(pod: &PodSandbox, asked: Asked) -> Result<SandboxEvent, PodRefused> {
    let network = pod.namespace_of_type("network").filter(|network| !network.path.is_empty());
    let path = network.map(|network| network.path.clone()).ok_or(PodRefused::NoNamespace)?;
    Ok(SandboxEvent {
        id: pod.id.parse()?,
        origin: Origin::Nri,
        netns: NetnsSource::Path(path.into()),
        pod: Some(pod.name.clone()),
        namespace: Some(pod.namespace.clone()),
        networks: asked.networks,
        service_path_off: asked.service_path_off,
        outside: Outside::of_handler(&pod.runtime_handler)
            .or_else(|| request::outside(&pod.annotations)),
        primary: None,
        wording: asked.wording,
        more_to_come: false,
    })
}
