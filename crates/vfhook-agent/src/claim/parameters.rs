//! What a class or a claim says to this driver about a device (`opaque.parameters`): an object of kind `Attachment` in group `vfhook.dev`,
//! version `v1alpha1`, with `network`, `interface`, `addresses` and `mac`, each of which may be left out.

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;
use vfhook::{
    request::NetworkRequest,
    types::{InterfaceName, MacAddress, Name, quote},
};

/// Addresses that one device may be given: each is announced, and each is a claim on its wire.
const MOST: usize = 16;

/// Why they are refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ParametersError {
    #[error("parameters: {}", quote(.0))]
    Json(String),
    #[error(
        "parameters: apiVersion {} and kind {}: expected vfhook.dev/v1alpha1 and Attachment",
        quote(.0), quote(.1)
    )]
    Kind(String, String),
    #[error(
        "parameters: {0} cannot be chosen for all devices of a class; leave it to claims, where allow.{0} opens it"
    )]
    OfClass(&'static str),
    #[error("parameters: {0} addresses, at most {MOST} are given")]
    TooMany(usize),
    #[error("parameters: nothing says for which network; write network: NAME beside the rest")]
    NoNetwork,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Attachment {
    api_version: String,
    kind: String,
    network: Option<Name>,
    interface: Option<InterfaceName>,
    #[serde(default)]
    addresses: Vec<IpNet>,
    mac: Option<MacAddress>,
}

/// What is known of a device's use so far.
#[derive(Debug, Default)]
pub(super) struct Wish {
    network: Option<Name>,
    interface: Option<InterfaceName>,
    addresses: Vec<IpNet>,
    mac: Option<MacAddress>,
}

impl Wish {
    /// Adds what is said later, which counts more.
    pub(super) fn add(&mut self, said: &Value, is_of_class: bool) -> Result<(), ParametersError> {
        let said = Attachment::deserialize(said)
            .map_err(|error| ParametersError::Json(error.to_string()))?;
        if (&*said.api_version, &*said.kind) != ("vfhook.dev/v1alpha1", "Attachment") {
            return Err(ParametersError::Kind(said.api_version, said.kind));
        }
        if is_of_class && !said.addresses.is_empty() {
            return Err(ParametersError::OfClass("addresses"));
        }
        if is_of_class && said.mac.is_some() {
            return Err(ParametersError::OfClass("mac"));
        }
        if said.addresses.len() > MOST {
            return Err(ParametersError::TooMany(said.addresses.len()));
        }
        self.network = said.network.or(self.network.take());
        self.interface = said.interface.or(self.interface.take());
        self.mac = said.mac.or(self.mac.take());
        if !said.addresses.is_empty() {
            self.addresses = said.addresses;
        }
        Ok(())
    }

    /// What all of it comes to; `None` where nothing was said.
    pub(super) fn request(self) -> Result<Option<NetworkRequest>, ParametersError> {
        let Self { network, interface, addresses, mac } = self;
        match network {
            Some(network) => Ok(Some(NetworkRequest {
                interface,
                addresses,
                mac,
                ..NetworkRequest::plain(network)
            })),
            None if interface.is_none() && addresses.is_empty() && mac.is_none() => Ok(None),
            None => Err(ParametersError::NoNetwork),
        }
    }
}
