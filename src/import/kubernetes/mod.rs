//! Objects of Kubernetes by their kinds. Pure.

mod net_attach_def;
mod node_policy;
mod object;
mod sriov_network;

use net_attach_def::Definition;
pub(super) use net_attach_def::{NET_ATTACH_DEF, Named};
pub(super) use node_policy::{NIC_SELECTOR, NODE_POLICY};
pub(super) use object::METADATA;
pub(super) use sriov_network::{MACVLAN_NETWORK, SRIOV_NETWORK};

use super::{
    Remark,
    draft::{NetworkDraft, PoolDraft},
    keys::{Keys, Manner},
    node::{Node, Text, Value},
    placeholder,
};
use crate::types::quote;

/// The `kind` of an object.
pub(super) const KINDS: Keys = Keys {
    of: "Kubernetes, kinds",
    manner: Manner::Cased,
    taken: &[
        ("NetworkAttachmentDefinition", "a network"),
        ("SriovNetwork", "a network"),
        ("MacvlanNetwork", "a network"),
        ("SriovNetworkNodePolicy", "a pool"),
        (
            "ConfigMap",
            "each key of `data` that holds the device plugin's configuration or a CNI configuration",
        ),
        ("List", "its items"),
    ],
    dropped: &[
        ("SriovIBNetwork", "vfhook gives no InfiniBand devices"),
        ("OVSNetwork", "vfhook puts nothing into an Open vSwitch"),
        ("HostDeviceNetwork", "vfhook gives no whole cards yet"),
        ("IPoIBNetwork", "vfhook gives no InfiniBand devices"),
        ("SriovNetworkPoolConfig", "vfhook sets no mode of RDMA and drains no node"),
        ("LogicalNetwork", "of CNI-Genie: write the network by hand"),
        ("PhysicalNetwork", "of CNI-Genie: write the network by hand"),
    ],
    also: &[],
};

/// What an object is to vfhook.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Pool(Box<PoolDraft>),
    /// A network that another file has.
    Named(Named),
    Network(Box<NetworkDraft>),
    /// Other objects.
    Items(&'a [Node]),
    /// Texts of files, with their keys.
    Files(Vec<(&'a str, &'a Node, &'a Text)>),
    /// Something that vfhook has no use for.
    Nothing,
}

/// Whether a document is an object of Kubernetes.
pub(super) fn is_object(node: &Node) -> bool {
    node.get("kind").and_then(Node::text).is_some() && node.get("apiVersion").is_some()
}

/// What `object` is; `remarks` is told what was passed over.
pub(super) fn read<'a>(object: &'a Node, remarks: &mut Vec<Remark>) -> Result<Found<'a>, Remark> {
    let kind = object.get("kind").and_then(Node::text).unwrap_or_default();
    match kind {
        "ConfigMap" => return files(object),
        list if list.ends_with("List") => {
            return Ok(Found::Items(object.get("items").and_then(Node::list).unwrap_or_default()));
        }
        known if KINDS.takes(known) => placeholder::refuse(object)?,
        _ => {}
    }
    Ok(match kind {
        "NetworkAttachmentDefinition" => match net_attach_def::read(object, remarks)? {
            Some(Definition::Network(network)) => Found::Network(network),
            Some(Definition::Named(named)) => Found::Named(named),
            None => Found::Nothing,
        },
        "SriovNetwork" => Found::Network(Box::new(sriov_network::read(object)?)),
        "MacvlanNetwork" => Found::Network(Box::new(sriov_network::read_macvlan(object)?)),
        "SriovNetworkNodePolicy" => Found::Pool(Box::new(node_policy::read(object)?)),
        other => {
            if let Some(why) = KINDS.dropped(other) {
                return Err(object.place.remark(format!("{other}: {why}")));
            }
            let kind = quote(other);
            remarks.push(object.place.remark(format!("passed over: an object of kind {kind}")));
            Found::Nothing
        }
    })
}

/// The files that a `ConfigMap` holds.
fn files(object: &Node) -> Result<Found<'_>, Remark> {
    let data = object.get("data").and_then(Node::map).unwrap_or_default();
    let texts = data.iter().filter_map(|(key, node)| match &node.value {
        Value::Text(text) => Some((key.name.as_str(), node, text)),
        _ => None,
    });
    let texts: Vec<_> = texts.collect();
    if texts.is_empty() {
        return Err(object.place.remark("a ConfigMap without data"));
    }
    Ok(Found::Files(texts))
}
