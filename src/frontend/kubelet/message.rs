//! The messages of kubelet's device plugin API (`v1beta1`) and of its pod resources API (`v1`), as far as vfhook needs them. Data only.
//!
//! The field numbers are those of Kubernetes' `k8s.io/kubelet`, which never change within a version. What is left out is empty for
//! kubelet, and what it sends beyond this is skipped.

/// No words at all.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Empty {}

/// `RegisterRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Register {
    #[prost(string, tag = "1")]
    pub(super) version: String,
    /// The name of a socket in the directory of kubelet's own.
    #[prost(string, tag = "2")]
    pub(super) endpoint: String,
    #[prost(string, tag = "3")]
    pub(super) resource_name: String,
}

/// `ListAndWatchResponse`: all devices there are.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Devices {
    #[prost(message, repeated, tag = "1")]
    pub(super) devices: Vec<Device>,
}

/// `Device`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Device {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) health: String,
    #[prost(message, optional, tag = "3")]
    pub(super) topology: Option<Topology>,
}

/// `TopologyInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Topology {
    #[prost(message, repeated, tag = "1")]
    pub(super) nodes: Vec<NumaNode>,
}

/// `NUMANode`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct NumaNode {
    #[prost(int64, tag = "1")]
    pub(super) id: i64,
}

/// `AllocateRequest`: kubelet asks for one container at a time.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Allocate {
    #[prost(message, repeated, tag = "1")]
    pub(super) containers: Vec<ContainerAllocate>,
}

/// `ContainerAllocateRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerAllocate {
    #[prost(string, repeated, tag = "1")]
    pub(super) devices: Vec<String>,
}

/// `AllocateResponse`: one for each container that was asked for.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Allocated {
    #[prost(message, repeated, tag = "1")]
    pub(super) containers: Vec<ContainerAllocated>,
}

/// `ContainerAllocateResponse`: kubelet remembers it for as long as the container has its devices.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerAllocated {
    #[prost(message, repeated, tag = "5")]
    pub(super) cdi_devices: Vec<CdiDevice>,
}

/// `CDIDevice`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CdiDevice {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// `ListPodResourcesResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListedPods {
    #[prost(message, repeated, tag = "1")]
    pub(super) pods: Vec<PodResources>,
}

/// `GetPodResourcesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetPod {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) namespace: String,
}

/// `GetPodResourcesResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GotPod {
    #[prost(message, optional, tag = "1")]
    pub(super) pod: Option<PodResources>,
}

/// `PodResources`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PodResources {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) namespace: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) containers: Vec<ContainerResources>,
}

/// `ContainerResources`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerResources {
    #[prost(message, repeated, tag = "2")]
    pub(super) devices: Vec<ContainerDevices>,
}

/// `ContainerDevices`: kubelet sends one for each device and NUMA node.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerDevices {
    #[prost(string, tag = "1")]
    pub(super) resource_name: String,
    #[prost(string, repeated, tag = "2")]
    pub(super) ids: Vec<String>,
}
