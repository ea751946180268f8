//! Tells the cluster's other nodes what addresses this node's pods have on vfhook's networks: one object of this node's name, which goes with
//! the node. A second `EndpointSlice` would be merged with the first by kube-proxy.

use serde_json::{Value, json};
use vfhook::types::with_causes;

use super::object::PodAddressesSpec;
use crate::{
    api::{Api, ApiError},
    names::DRIVER,
    publisher::uid_of,
};

const OBJECTS: &str = "/apis/vfhook.dev/v1alpha1/podaddresses";

/// Who tells; an error is told of once.
#[derive(Debug, Default)]
pub(super) struct Teller {
    has_failed: bool,
}

impl Teller {
    /// Brings what is told to what is so. What could not be written is written at the next look.
    pub(super) async fn tell(
        &mut self,
        api: &Api,
        node: &str,
        own: &PodAddressesSpec,
        found: Option<&PodAddressesSpec>,
    ) {
        // Nothing is told by telling that there is nothing.
        if found == Some(own) || (found.is_none() && own.pods.is_empty()) {
            return;
        }
        match write(api, node, own).await {
            Ok(()) => {
                self.has_failed = false;
                tracing::info!(pods = own.pods.len(), "the addresses of pods were told");
            }
            Err(error) if !self.has_failed => {
                self.has_failed = true;
                let error = with_causes(&error);
                tracing::warn!(error, "other nodes do not hear what addresses pods have here");
            }
            Err(_) => {}
        }
    }
}

async fn write(api: &Api, node: &str, own: &PodAddressesSpec) -> Result<(), ApiError> {
    let uid = uid_of(api, node).await?;
    let object = json!({
        "apiVersion": "vfhook.dev/v1alpha1",
        "kind": "PodAddresses",
        "metadata": {
            "name": node,
            "ownerReferences": [{ "apiVersion": "v1", "kind": "Node", "name": node, "uid": uid }],
        },
        "spec": own,
    });
    let path = format!("{OBJECTS}/{node}?fieldManager={DRIVER}&force=true");
    api.apply::<Value>(&path, &object).await.map(drop)
}

/// Nobody translates here, so nobody keeps it true.
pub(super) async fn withdraw(api: &Api, node: &str) {
    if let Err(error) = api.delete(&format!("{OBJECTS}/{node}")).await {
        tracing::debug!(error = with_causes(&error), "what was told of pods may be there still");
    }
}
