//! What is told of a claim's devices to their workload. Data only; what becomes of it is in `shown`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Attached;
use crate::types::Name;

/// What is told of a claim and its devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimMetadata {
    /// What its pod calls it, where it was made from a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_claim_name: Option<Name>,
    /// Its devices, in the order of the claim's. None of a claim of a version that told nothing.
    pub devices: Vec<DeviceMetadata>,
}

/// What is told of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceMetadata {
    /// Its pool's name in the cluster.
    pub pool: String,
    /// Its name there.
    pub name: String,
    /// What its slice says of it (`DeviceAttribute` by name).
    pub attributes: Map<String, Value>,
}

/// What a sandbox has of a device, as Kubernetes' `NetworkDeviceData`.
pub fn network_data(attached: &Attached) -> Value {
    let ips: Vec<String> = attached.addresses.iter().map(ToString::to_string).collect();
    let mut network = json!({ "interfaceName": attached.interface, "ips": ips });
    if let Some(mac) = attached.mac {
        network["hardwareAddress"] = mac.to_string().into();
    }
    network
}
