//! Which pod a container is of. A runtime's own annotations and those of whoever made the pod come in one map: what a runtime
//! writes after the others is believed, and what only another runtime could have written is refused. Looks at nothing else.
//! Who writes what, and when: `tests/runtime_annotations/`.

use std::{collections::BTreeMap, fmt};

use super::bundle::Maker;
use crate::types::{SandboxId, quote};

/// Who made the container. CRI-O writes it after all that a pod says, podman where nobody else did.
const MANAGER: &str = "io.container.manager";

/// The kubelet's label. CRI-O makes labels annotations, last of all.
const LABELLED: &str = "io.kubernetes.pod.namespace";

/// Where one runtime says what of a pod.
struct Keys {
    /// Whether a container is a workload or the pod's own, which only holds its namespaces.
    kind: &'static str,
    /// The pod's id.
    sandbox: &'static str,
    /// Its namespace.
    namespace: &'static str,
}

/// The namespace is on the pod's own container alone, and written before what the pod says: it proves nothing.
const CRI_O: Keys = Keys {
    kind: "io.kubernetes.cri-o.ContainerType",
    sandbox: "io.kubernetes.cri-o.SandboxID",
    namespace: "io.kubernetes.cri-o.Namespace",
};

/// All three are on every container since 1.5, written after what `pod_annotations` passes on.
const CONTAINERD: Keys = Keys {
    kind: "io.kubernetes.cri.container-type",
    sandbox: "io.kubernetes.cri.sandbox-id",
    namespace: "io.kubernetes.cri.sandbox-namespace",
};

/// Why nobody can tell whose a container is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PodError {
    /// Only another runtime writes this.
    #[error(
        "annotation {key} ({}) is not from {runtime}, and so from whoever made the container; leave it out",
        quote(.value)
    )]
    Foreign {
        /// The annotation.
        key: &'static str,
        /// What it says.
        value: String,
        /// Who did not write it.
        runtime: Runtime,
    },
    /// It says something else than the runtime.
    #[error(
        "annotation {key} says {}, and {LABELLED}, which CRI-O writes, says {}; leave it out",
        quote(.said), .known.as_deref().map_or_else(|| "nothing".to_owned(), quote)
    )]
    Contradicts {
        /// The annotation.
        key: &'static str,
        /// What it says.
        said: String,
        /// What the runtime says.
        known: Option<String>,
    },
    /// containerd writes all of its keys or none.
    #[error("annotation {key} is not there, and containerd writes it wherever it writes {beside}")]
    Incomplete {
        /// What is missing.
        key: &'static str,
        /// What is there.
        beside: &'static str,
    },
}

/// Who runs a container, as far as it matters whose pod it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// It says so in `MANAGER`.
    CriO,
    /// It says nothing there, and has its keys.
    Containerd,
    /// podman, docker or somebody else who knows no Kubernetes namespaces.
    Another,
    /// Nobody says anything.
    Unnamed,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CriO => "CRI-O",
            Self::Containerd => "containerd",
            Self::Another => "the manager of this container, which is no Kubernetes runtime",
            Self::Unnamed => "a Kubernetes runtime, whose mark is missing",
        })
    }
}

type Annotations = BTreeMap<String, String>;

impl Runtime {
    /// podman and docker let others write the manager's name, and anything else; where a container is they say themselves.
    fn of(annotations: &Annotations, maker: Maker) -> Self {
        let has = |key: &&str| annotations.contains_key(*key);
        match annotations.get(MANAGER) {
            _ if maker != Maker::Unknown => Self::Another,
            Some(manager) if manager == "cri-o" => Self::CriO,
            Some(_) => Self::Another,
            None if CONTAINERD.all().iter().any(has) => Self::Containerd,
            None => Self::Unnamed,
        }
    }

    /// Keys of others that this one never writes. podman has CRI-O's for the pod and the kind.
    fn foreign(self) -> Vec<&'static str> {
        let (cri_o, containerd) = (CRI_O.all(), CONTAINERD.all());
        match self {
            Self::CriO => containerd.to_vec(),
            Self::Another => [&containerd[..], &[CRI_O.namespace, LABELLED]].concat(),
            Self::Containerd | Self::Unnamed => [&cri_o[..], &[LABELLED]].concat(),
        }
    }
}

impl Keys {
    fn all(&self) -> [&'static str; 3] {
        [self.kind, self.sandbox, self.namespace]
    }
}

/// What the runtime says of a container's pod.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pod {
    /// Its Kubernetes namespace.
    pub(super) namespace: Option<String>,
    /// Its id.
    pub(super) id: Option<SandboxId>,
    /// Whether the container is the pod's own, which only holds its namespaces.
    pub(super) is_own_container: bool,
}

impl Pod {
    /// The pod of a container that is called `container`.
    pub(super) fn of(
        annotations: &Annotations,
        container: &SandboxId,
        maker: Maker,
    ) -> Result<Self, PodError> {
        let runtime = Runtime::of(annotations, maker);
        let value = |key: &str| annotations.get(key).cloned();
        let foreign = runtime.foreign().into_iter().find_map(|key| Some((key, value(key)?)));
        if let Some((key, value)) = foreign {
            return Err(PodError::Foreign { key, value, runtime });
        }
        let (keys, namespace) = match runtime {
            Runtime::CriO => (CRI_O, value(LABELLED)),
            Runtime::Containerd => (CONTAINERD, value(CONTAINERD.namespace)),
            Runtime::Another | Runtime::Unnamed => return Ok(Self::none()),
        };
        match runtime {
            Runtime::CriO => require_agreement(annotations, namespace.as_ref())?,
            _ => require_all(annotations)?,
        }
        let id: Option<SandboxId> = value(keys.sandbox).and_then(|id| id.parse().ok());
        // A checkpoint that CRI-O restores may bring annotations of its own. Ids are made up only then, and a pod's own container
        // has the pod's.
        let is_own_container = value(keys.kind).is_some_and(|kind| kind == "sandbox")
            && id.as_ref() == Some(container);
        Ok(Self { namespace, id, is_own_container })
    }

    fn none() -> Self {
        Self { namespace: None, id: None, is_own_container: false }
    }
}

fn require_agreement(annotations: &Annotations, known: Option<&String>) -> Result<(), PodError> {
    match annotations.get(CRI_O.namespace) {
        Some(said) if Some(said) != known => Err(PodError::Contradicts {
            key: CRI_O.namespace,
            said: said.clone(),
            known: known.cloned(),
        }),
        _ => Ok(()),
    }
}

fn require_all(annotations: &Annotations) -> Result<(), PodError> {
    let (there, missing): (Vec<&str>, Vec<&str>) =
        CONTAINERD.all().into_iter().partition(|key| annotations.contains_key(*key));
    match (missing.first(), there.first()) {
        (Some(key), Some(beside)) => Err(PodError::Incomplete { key, beside }),
        _ => Ok(()),
    }
}
