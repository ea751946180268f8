//! Why what a runtime told makes no call, in words. Decides nothing.

use std::io;

use super::pod::PodError;
use crate::{
    config::ConfigError,
    request::AnnotationError,
    types::{Invalid, SandboxId, quote},
};

/// Bytes of state that are read. Annotations are all that can be long in it.
pub(super) const LONGEST_STATE: u64 = 4 << 20;

/// Why what came on stdin makes no call. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Stdin cannot be read.
    #[error("read the container state from stdin")]
    Read(#[source] io::Error),
    /// It is too long to be a state.
    #[error("the container state on stdin is over {} MiB", LONGEST_STATE >> 20)]
    TooLong,
    /// It is no state.
    #[error("the container state on stdin is not the JSON of the OCI runtime specification")]
    NotState(#[source] serde_json::Error),
    /// It is of a version that is not known.
    #[error("the container state has ociVersion {}, this hook knows 1.x", quote(.0))]
    Version(String),
    /// Its id is none.
    #[error("the container state has an id that is none")]
    Id(#[source] Invalid),
    /// It names no process.
    #[error(
        "the container state has no pid, and this stage needs it to find the network namespace"
    )]
    NoPid,
    /// The container has no namespace of its own.
    #[error(
        "container {0} asks for networks and shares the host's network namespace; give it its own"
    )]
    HostNetwork(SandboxId),
    /// Its annotations are not only its runtime's.
    #[error("container {id}")]
    Pod {
        /// The container.
        id: SandboxId,
        /// What is wrong.
        source: PodError,
    },
    /// Nobody can tell whether an annotation asks for something.
    #[error(
        "container {id} has the annotation {key}, and only the configuration says whether that asks for networks"
    )]
    Config {
        /// The container.
        id: SandboxId,
        /// The annotation.
        key: &'static str,
        /// Why it cannot be used.
        source: ConfigError,
    },
    /// Its annotation is wrong.
    #[error("container {id}")]
    Annotation {
        /// The container.
        id: SandboxId,
        /// What is wrong.
        source: AnnotationError,
    },
    /// It has no namespace yet, and none can be made for it.
    #[error("container {id} is to have a device node and has no network namespace yet: {why}")]
    NoNamespace {
        /// The container.
        id: SandboxId,
        /// Why none is made for it.
        why: &'static str,
    },
    /// A namespace cannot be made for it.
    #[error("make a network namespace for container {id}")]
    Namespace {
        /// The container.
        id: SandboxId,
        /// Why not.
        source: io::Error,
    },
    /// Nobody says what the container is called.
    #[error(
        "the bundle of a container that is to have a device node does not tell its id, which podman writes into linux.cgroupsPath: \
         let it have a control group (no --cgroups=disabled), or use vfhook-runtime"
    )]
    Nameless,
}
