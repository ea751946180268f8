//! A sandbox began, and asks for networks. The one vocabulary of all frontends.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::types::{
    Allotted, InterfaceName, MacAddress, Name, NetnsSource, Origin, Outside, SandboxId,
};

/// A sandbox whose network namespace exists and whose workload has not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxEvent {
    /// The container's or pod's id.
    pub id: SandboxId,
    /// Who told of it.
    pub origin: Origin,
    /// Where its namespace is.
    pub netns: NetnsSource,
    /// The pod's name, for people only.
    pub pod: Option<String>,
    /// Its Kubernetes namespace, from whoever knows it for certain; never from the pod's own words.
    pub namespace: Option<String>,
    /// What it asks for, in order.
    pub networks: Vec<NetworkRequest>,
    /// Whether it does without the service path.
    pub service_path_off: bool,
    /// Why services cannot, or shall not, become backends inside of it, as far as whoever asks knows.
    pub outside: Option<Outside>,
    /// The interface whose address counts as the sandbox's own, where the caller must report one. One of the networks
    /// must be asked for under this name, and have addresses to give.
    pub primary: Option<InterfaceName>,
    /// How it was put, where it was not by our own annotation.
    pub wording: Option<Wording>,
    /// Whether its runtime puts networks of its own into it afterwards, as docker does since version 28.
    pub more_to_come: bool,
}

/// How another tool's annotation puts what a sandbox asks for; for people only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// The annotation, as it is named in messages.
    pub annotation: String,
    /// What it says to no effect.
    pub without_effect: Vec<String>,
}

/// One network that is asked for, with the choices made in the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRequest {
    /// The network's name.
    pub network: Name,
    /// The interface's name in the sandbox; `None` takes the network's.
    pub interface: Option<InterfaceName>,
    /// Chosen addresses; empty lets vfhook choose.
    pub addresses: Vec<IpNet>,
    /// A chosen MAC address.
    pub mac: Option<MacAddress>,
    /// The device that whoever counts devices chose for the sandbox; never from the pod's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Allotted>,
    /// Whether the container was given the network as a CDI device: whoever may give it devices vouches for it. Never from the pod's own
    /// words.
    #[serde(default, skip_serializing_if = "is_no")]
    pub by_cdi: bool,
}

impl NetworkRequest {
    /// A request that chooses nothing.
    pub fn plain(network: Name) -> Self {
        Self {
            network,
            interface: None,
            addresses: Vec::new(),
            mac: None,
            device: None,
            by_cdi: false,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_no(flag: &bool) -> bool {
    !flag
}
