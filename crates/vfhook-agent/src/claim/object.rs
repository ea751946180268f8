//! A claim as the API server tells of it, as far as it matters here. What is left out is skipped. Data only.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::names::DRIVER;

/// `ResourceClaim`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ResourceClaim {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) status: Status,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) allocation: Option<Allocation>,
    #[serde(default)]
    pub(super) reserved_for: Vec<Consumer>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Allocation {
    #[serde(default)]
    pub(super) devices: Devices,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Devices {
    #[serde(default)]
    pub(super) results: Vec<Given>,
    #[serde(default)]
    pub(super) config: Vec<Configured>,
}

/// `DeviceRequestAllocationResult`: a device, and the request that it is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Given {
    pub(super) request: String,
    pub(super) driver: String,
    pub(super) pool: String,
    pub(super) device: String,
    /// Which share of it, where it is a device that several may have.
    #[serde(default, rename = "shareID")]
    pub(super) share_id: Option<String>,
    #[serde(default)]
    pub(super) admin_access: bool,
}

/// `DeviceAllocationConfiguration`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Configured {
    source: String,
    #[serde(default)]
    requests: Vec<String>,
    opaque: Option<Opaque>,
}

#[derive(Debug, Clone, Deserialize)]
struct Opaque {
    driver: String,
    #[serde(default)]
    parameters: Value,
}

/// `ResourceClaimConsumerReference`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Consumer {
    #[serde(default)]
    pub(super) api_group: String,
    pub(super) resource: String,
    pub(super) name: String,
    pub(super) uid: String,
}

impl Metadata {
    /// What the pod calls the claim, where it was made for it from a template.
    pub(super) fn pod_claim_name(&self) -> Option<&str> {
        self.annotations.get("resource.kubernetes.io/pod-claim-name").map(String::as_str)
    }
}

impl Configured {
    /// Whether it is for this request: for all where it names none; one that is named is meant with its alternatives (`main/sub`).
    pub(super) fn is_for(&self, request: &str) -> bool {
        let main = request.split('/').next();
        self.requests.is_empty()
            || self.requests.iter().any(|named| named == request || Some(named.as_str()) == main)
    }

    /// Whether an administrator wrote it. What is not known to be is a stranger's.
    pub(super) fn is_of_class(&self) -> bool {
        self.source == "FromClass"
    }

    /// What it says to this driver.
    pub(super) fn own(&self) -> Option<&Value> {
        let opaque = self.opaque.as_ref().filter(|opaque| opaque.driver == DRIVER)?;
        Some(&opaque.parameters)
    }
}
