//! A `NetworkAttachmentDefinition` made a network. Pure.

use super::{
    super::{
        Place, Remark, cni,
        draft::{Device, NetworkDraft, Resource},
        fields::Fields,
        json,
        keys::{Keys, Manner},
        node::{Node, Value},
        placeholder,
    },
    object::{metadata, namespaces},
};
use crate::types::quote;

/// `spec`.
pub(in super::super) const NET_ATTACH_DEF: Keys = Keys {
    of: "NetworkAttachmentDefinition",
    manner: Manner::Cased,
    taken: &[(
        "config",
        "the network, a CNI configuration in a string; without it, the file among those given whose `name` is the object's",
    )],
    dropped: &[],
    also: &[],
};

/// What an object says.
#[derive(Debug)]
pub(super) enum Definition {
    Network(Box<NetworkDraft>),
    Named(Named),
}

/// Who may have a network that another file has.
#[derive(Debug)]
pub(in super::super) struct Named {
    pub(in super::super) place: Place,
    pub(in super::super) name: String,
    pub(in super::super) namespaces: Vec<String>,
    pub(in super::super) resource: Option<Resource>,
}

/// Reads one; `None` (with a remark) where it is of a plugin that stays beside vfhook.
pub(super) fn read(object: &Node, general: &mut Vec<Remark>) -> Result<Option<Definition>, Remark> {
    let mut remarks = Vec::new();
    let about = metadata(object, &mut remarks)?;
    let namespaces = namespaces(about.namespace.as_ref(), object, &mut remarks);
    let resource = about.resource.map(Resource::parse);
    let config = config(object, &mut remarks)?;
    let Some(config) = config else {
        let name = about.name.to_owned();
        let place = object.place.clone();
        return Ok(Some(Definition::Named(Named { place, name, namespaces, resource })));
    };
    let network = cni::read(&config, Some(about.name), general)?;
    let Some(mut network) = network else { return Ok(None) };
    network.place = object.place.clone();
    network.namespaces = Some(namespaces);
    if let Some(resource) = resource {
        match network.device {
            Device::Injected => network.device = Device::Resource(resource),
            _ => remarks.push(object.place.remark(format!(
                "resource {}: config names the device itself, which counts",
                quote(&resource.shown())
            ))),
        }
    }
    network.remarks.splice(..0, remarks);
    Ok(Some(Definition::Network(Box::new(network))))
}

/// The configuration in the string.
fn config(object: &Node, remarks: &mut Vec<Remark>) -> Result<Option<Node>, Remark> {
    let Some(spec) = object.get("spec") else { return Ok(None) };
    let mut fields = Fields::of(spec, &NET_ATTACH_DEF, remarks)?;
    let node = fields.node("config");
    fields.finish()?;
    let Some(node) = node else { return Ok(None) };
    let Value::Text(text) = &node.value else {
        return Err(node.expected("config", "a string that holds JSON"));
    };
    if text.value.trim().is_empty() {
        return Ok(None);
    }
    let config = json::parse_inside(text, &node.place)?;
    placeholder::refuse(&config)?;
    Ok(Some(config))
}
