//! A pod's sandbox as the runtime describes it. Plain data; decides nothing.

use std::collections::BTreeMap;

use crate::resources::Resources;
use crate::wire::nri as wire;

/// A pod's sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct PodSandbox {
    /// The runtime's id of the sandbox.
    pub id: String,
    /// The pod's name.
    pub name: String,
    /// The pod's Kubernetes UID.
    pub uid: String,
    /// The pod's Kubernetes namespace.
    pub namespace: String,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
    /// The pod's annotations.
    pub annotations: BTreeMap<String, String>,
    /// The runtime handler, as a `RuntimeClass` names it.
    pub runtime_handler: String,
    /// What the sandbox itself may use, as the pod's `RuntimeClass` says.
    pub overhead: Resources,
    /// What the pod's containers may use together, as it was asked for.
    pub pod_resources: Resources,
    /// The parent control group of the pod.
    pub cgroup_parent: String,
    /// The sandbox's own control group.
    pub cgroups_path: String,
    /// What the sandbox's own container may use.
    pub resources: Resources,
    /// The sandbox's Linux namespaces. Not every runtime tells them, nor for every event:
    /// containerd 1.7 and 2.0 leave them out once the sandbox is stopped.
    pub namespaces: Vec<Namespace>,
    /// The process that holds the sandbox, if there is one and the runtime tells it.
    pub pid: Option<u32>,
    /// The pod's addresses, if the runtime knows them yet. Since NRI 0.8.
    pub ips: Vec<String>,
}

impl PodSandbox {
    /// What the pod's annotations say to a plugin about one of its containers, by NRI's custom: `KEY/container.NAME` for this
    /// container, else `KEY/pod` for all of the pod, else `KEY`.
    ///
    /// ```
    /// use containerd_nri::PodSandbox;
    ///
    /// let mut pod = PodSandbox::default();
    /// pod.annotations.insert("devices.example.com/pod".to_owned(), "all".to_owned());
    /// pod.annotations.insert("devices.example.com/container.main".to_owned(), "its".to_owned());
    /// assert_eq!(pod.annotation_for("main", "devices.example.com"), Some("its"));
    /// assert_eq!(pod.annotation_for("other", "devices.example.com"), Some("all"));
    /// assert_eq!(pod.annotation_for("other", "mounts.example.com"), None);
    /// ```
    pub fn annotation_for(&self, container_name: &str, key: &str) -> Option<&str> {
        let own = self.annotations.get(&format!("{key}/container.{container_name}"));
        let all = || self.annotations.get(&format!("{key}/pod"));
        own.or_else(all).or_else(|| self.annotations.get(key)).map(String::as_str)
    }

    /// The sandbox's namespace of this type (`network`, `ipc`, `uts`, …), if the runtime told one.
    pub fn namespace_of_type(&self, kind: &str) -> Option<&Namespace> {
        self.namespaces.iter().find(|namespace| namespace.kind == kind)
    }
}

/// A Linux namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Namespace {
    /// Its type, as the OCI runtime specification names it: `network`, `ipc`, `uts`, …
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: String,
    /// Where it can be opened; empty for one yet to be made.
    #[cfg_attr(feature = "serde", serde(default))]
    pub path: String,
}

impl Namespace {
    /// The namespace of this type at this path.
    pub fn new(kind: impl Into<String>, path: impl Into<String>) -> Self {
        Self { kind: kind.into(), path: path.into() }
    }
}

/// What is about to change about a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct PodUpdate {
    /// What the sandbox itself may use.
    pub overhead: Resources,
    /// What the pod's containers may use together.
    pub resources: Resources,
}

impl From<wire::PodSandbox> for PodSandbox {
    fn from(pod: wire::PodSandbox) -> Self {
        let linux = pod.linux.into_option().unwrap_or_default();
        Self {
            id: pod.id,
            name: pod.name,
            uid: pod.uid,
            namespace: pod.namespace,
            labels: pod.labels.into_iter().collect(),
            annotations: pod.annotations.into_iter().collect(),
            runtime_handler: pod.runtime_handler,
            overhead: linux.overhead.into_option().map(Resources::from).unwrap_or_default(),
            pod_resources: linux
                .pod_resources
                .into_option()
                .map(Resources::from)
                .unwrap_or_default(),
            cgroup_parent: linux.cgroup_parent,
            cgroups_path: linux.cgroups_path,
            resources: linux.resources.into_option().map(Resources::from).unwrap_or_default(),
            namespaces: linux.namespaces.into_iter().map(Namespace::from).collect(),
            pid: Some(pod.pid).filter(|pid| *pid != 0),
            ips: pod.ips,
        }
    }
}

impl From<wire::Namespace> for Namespace {
    fn from(namespace: wire::Namespace) -> Self {
        Self { kind: namespace.type_, path: namespace.path }
    }
}

impl From<Namespace> for wire::Namespace {
    fn from(namespace: Namespace) -> Self {
        Self { type_: namespace.kind, path: namespace.path, ..Self::default() }
    }
}
