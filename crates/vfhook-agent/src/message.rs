//! The messages of kubelet's plugin watcher (`pluginregistration`) and of its DRA API (`v1`, and `v1beta1`, which lacks only a field that
//! is not used here). Data only.
//!
//! The field numbers are those of Kubernetes' `k8s.io/kubelet`, which never change within a version.

use std::collections::BTreeMap;

/// No words at all.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Empty {}

/// `PluginInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PluginInfo {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    /// The socket of the service.
    #[prost(string, tag = "3")]
    pub(crate) endpoint: String,
    /// Services; kubelet takes the first that it knows.
    #[prost(string, repeated, tag = "4")]
    pub(crate) supported_versions: Vec<String>,
}

/// `RegistrationStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RegistrationStatus {
    #[prost(bool, tag = "1")]
    pub(crate) registered: bool,
    #[prost(string, tag = "2")]
    pub(crate) error: String,
}

/// `NodePrepareResourcesRequest`, and `NodeUnprepareResourcesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Claims {
    #[prost(message, repeated, tag = "1")]
    pub(crate) claims: Vec<Claim>,
}

/// `Claim`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Claim {
    #[prost(string, tag = "1")]
    pub(crate) namespace: String,
    #[prost(string, tag = "2")]
    pub(crate) uid: String,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
}

/// `NodePrepareResourcesResponse`: one for each claim, by its uid.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Prepared {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) claims: BTreeMap<String, PreparedClaim>,
}

/// `NodePrepareResourceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PreparedClaim {
    #[prost(message, repeated, tag = "1")]
    pub(crate) devices: Vec<Device>,
    #[prost(string, tag = "2")]
    pub(crate) error: String,
}

/// `Device`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Device {
    #[prost(string, repeated, tag = "1")]
    pub(crate) requests: Vec<String>,
    #[prost(string, tag = "2")]
    pub(crate) pool: String,
    /// The device's name in its pool.
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(string, repeated, tag = "4")]
    pub(crate) cdi_devices: Vec<String>,
    /// Which share of the device.
    #[prost(string, optional, tag = "5")]
    pub(crate) share: Option<String>,
}

/// `NodeUnprepareResourcesResponse`: one for each claim, by its uid.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Unprepared {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) claims: BTreeMap<String, UnpreparedClaim>,
}

/// `NodeUnprepareResourceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct UnpreparedClaim {
    #[prost(string, tag = "1")]
    pub(crate) error: String,
}
