//! What all objects of Kubernetes have: a name, and a namespace. Pure.

use super::super::{
    Remark,
    fields::{Fields, parsed},
    keys::{Keys, Manner},
    node::Node,
};
use crate::types::Name;

/// `metadata`.
pub(in super::super) const METADATA: Keys = Keys {
    of: "metadata",
    manner: Manner::Cased,
    taken: &[
        ("name", "`network.name`"),
        ("namespace", "`allow.namespaces`; `default` without one"),
        (
            "annotations",
            "`k8s.v1.cni.cncf.io/resourceName` of a NetworkAttachmentDefinition names the pool",
        ),
    ],
    dropped: &[],
    also: &[],
};

/// The annotation that ties a network to devices.
const RESOURCE: &str = "k8s.v1.cni.cncf.io/resourceName";

/// An object's `metadata`, as far as it matters.
pub(super) struct Metadata<'a> {
    pub(super) name: &'a str,
    /// None where the file leaves it to whoever applies it.
    pub(super) namespace: Option<Name>,
    pub(super) resource: Option<&'a str>,
}

/// Reads it.
pub(super) fn metadata<'a>(
    object: &'a Node,
    remarks: &mut Vec<Remark>,
) -> Result<Metadata<'a>, Remark> {
    let node = object.get("metadata");
    let node = node.ok_or_else(|| object.place.remark("metadata is missing"))?;
    let mut fields = Fields::of(node, &METADATA, remarks)?;
    let name = fields.required("name")?;
    let namespace = fields.parsed("namespace")?;
    let resource = fields.node("annotations").and_then(|node| node.get(RESOURCE));
    let resource = resource
        .map(|node| node.text().ok_or_else(|| node.expected(RESOURCE, "a string")))
        .transpose()?;
    Ok(Metadata { name, namespace, resource: resource.filter(|text| !text.trim().is_empty()) })
}

/// The namespaces of an object: its own, or the one that `kubectl` would put it into.
pub(super) fn namespaces(
    own: Option<&Name>,
    object: &Node,
    remarks: &mut Vec<Remark>,
) -> Vec<String> {
    let own = own.map(ToString::to_string);
    vec![own.unwrap_or_else(|| {
        remarks.push(
            object
                .place
                .remark("names no namespace: taken for that of kubectl's usual one, default"),
        );
        "default".to_owned()
    })]
}

/// The value of `spec`.
pub(super) fn spec(object: &Node) -> Result<&Node, Remark> {
    object.get("spec").ok_or_else(|| object.place.remark("spec is missing"))
}

/// Reads the word at `key` as a namespace.
pub(super) fn namespace(text: &str, key: &str, object: &Node) -> Result<Name, Remark> {
    parsed(text, key, &object.place)
}
