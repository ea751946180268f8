//! The messages of the container runtime interface, `runtime.v1`, as far as scenarios need them. Data only.
//!
//! The field numbers are those of `api.proto` of Kubernetes' cri-api, which never change within v1. What is left out is empty for the
//! runtime, and what it sends beyond this is skipped: protobuf says so of fields that one side does not know.

use std::collections::BTreeMap;

/// The namespaces of a sandbox or of a container.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct NamespaceOption {
    /// 0 is the pod's own network, 2 the node's.
    #[prost(int32, tag = "1")]
    pub(super) network: i32,
    /// 1 gives every container processes of its own, as Kubernetes does; 0 shares them within the pod.
    #[prost(int32, tag = "2")]
    pub(super) pid: i32,
}

/// `LinuxSandboxSecurityContext` and `LinuxContainerSecurityContext` have their namespaces at different places: this is the sandbox's.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxSecurity {
    #[prost(message, optional, tag = "1")]
    pub(super) namespaces: Option<NamespaceOption>,
}

/// `LinuxPodSandboxConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LinuxSandbox {
    #[prost(message, optional, tag = "2")]
    pub(super) security: Option<SandboxSecurity>,
}

/// `PodSandboxMetadata`. The runtime makes the sandbox's name of all four and refuses it twice.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxMetadata {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) uid: String,
    #[prost(string, tag = "3")]
    pub(super) namespace: String,
    #[prost(uint32, tag = "4")]
    pub(super) attempt: u32,
}

/// `PodSandboxConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxConfig {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<SandboxMetadata>,
    #[prost(string, tag = "2")]
    pub(super) hostname: String,
    #[prost(btree_map = "string, string", tag = "6")]
    pub(super) labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "7")]
    pub(super) annotations: BTreeMap<String, String>,
    #[prost(message, optional, tag = "8")]
    pub(super) linux: Option<LinuxSandbox>,
}

/// `RunPodSandboxRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RunSandbox {
    #[prost(message, optional, tag = "1")]
    pub(super) config: Option<SandboxConfig>,
    /// Which of the runtime's handlers; empty for the usual one.
    #[prost(string, tag = "2")]
    pub(super) handler: String,
}

/// Every request that is an id and nothing else, and every answer that is one: all have it as field 1.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Id {
    #[prost(string, tag = "1")]
    pub(super) id: String,
}

/// Requests and answers with nothing in them, or nothing that is asked for.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Nothing {}

/// `PodIP`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PodIp {
    #[prost(string, tag = "1")]
    pub(super) ip: String,
}

/// `PodSandboxNetworkStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxNetwork {
    #[prost(string, tag = "1")]
    pub(super) ip: String,
    /// The others, without `ip`.
    #[prost(message, repeated, tag = "2")]
    pub(super) additional: Vec<PodIp>,
}

/// `PodSandboxStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxStatus {
    /// 0 is ready.
    #[prost(int32, tag = "3")]
    pub(super) state: i32,
    #[prost(message, optional, tag = "5")]
    pub(super) network: Option<SandboxNetwork>,
}

/// `PodSandboxStatusResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxStatusAnswer {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<SandboxStatus>,
}

/// `PodSandbox` and `Container`, of which only the id is asked: both have it as field 1.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Ids {
    #[prost(message, repeated, tag = "1")]
    pub(super) items: Vec<Id>,
}

/// `ContainerFilter`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerFilter {
    #[prost(string, tag = "3")]
    pub(super) sandbox: String,
}

/// `ListContainersRequest`. Without a filter it asks for all.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListContainers {
    #[prost(message, optional, tag = "1")]
    pub(super) filter: Option<ContainerFilter>,
}

/// `ImageSpec`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ImageSpec {
    #[prost(string, tag = "1")]
    pub(super) image: String,
}

/// `ContainerMetadata`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerMetadata {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// `LinuxContainerSecurityContext`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerSecurity {
    #[prost(message, optional, tag = "3")]
    pub(super) namespaces: Option<NamespaceOption>,
}

/// `LinuxContainerConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LinuxContainer {
    #[prost(message, optional, tag = "2")]
    pub(super) security: Option<ContainerSecurity>,
}

/// `Mount`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Mount {
    #[prost(string, tag = "1")]
    pub(super) inside: String,
    #[prost(string, tag = "2")]
    pub(super) host: String,
}

/// `ContainerConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "2")]
    pub(super) image: Option<ImageSpec>,
    /// In place of the image's entry point, when there are any.
    #[prost(string, repeated, tag = "3")]
    pub(super) command: Vec<String>,
    #[prost(message, repeated, tag = "7")]
    pub(super) mounts: Vec<Mount>,
    #[prost(btree_map = "string, string", tag = "9")]
    pub(super) labels: BTreeMap<String, String>,
    #[prost(message, optional, tag = "15")]
    pub(super) linux: Option<LinuxContainer>,
}

/// `CreateContainerRequest`: the sandbox's whole configuration comes again.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CreateContainer {
    #[prost(string, tag = "1")]
    pub(super) sandbox: String,
    #[prost(message, optional, tag = "2")]
    pub(super) config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    pub(super) sandbox_config: Option<SandboxConfig>,
}

/// `StopContainerRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StopContainer {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    /// Seconds until it is killed; 0 kills at once.
    #[prost(int64, tag = "2")]
    pub(super) timeout: i64,
}

/// `ContainerStatusRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AskContainer {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    /// Whether `info` is wanted.
    #[prost(bool, tag = "2")]
    pub(super) verbose: bool,
}

/// `ContainerStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerStatus {
    /// 0 created, 1 running, 2 exited, 3 unknown.
    #[prost(int32, tag = "3")]
    pub(super) state: i32,
}

/// `ContainerStatusResponse`. Under `info`, runtimes have one JSON text with the process id and the OCI spec in it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerStatusAnswer {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<ContainerStatus>,
    #[prost(btree_map = "string, string", tag = "2")]
    pub(super) info: BTreeMap<String, String>,
}

/// `RuntimeCondition`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Condition {
    /// `RuntimeReady` or `NetworkReady`.
    #[prost(string, tag = "1")]
    pub(super) kind: String,
    #[prost(bool, tag = "2")]
    pub(super) holds: bool,
    #[prost(string, tag = "3")]
    pub(super) reason: String,
    #[prost(string, tag = "4")]
    pub(super) message: String,
}

/// `RuntimeStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RuntimeStatus {
    #[prost(message, repeated, tag = "1")]
    pub(super) conditions: Vec<Condition>,
}

/// `StatusResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StatusAnswer {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<RuntimeStatus>,
}
