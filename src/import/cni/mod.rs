//! A CNI configuration, of one plugin or a list of them, made a network. Pure.

mod attributes;
mod chained;
mod macvlan;
mod plugin;
mod sriov;

pub(super) use attributes::{Spelling, read as attributes};
pub(super) use chained::{CHAINED, TUNING, read as chained};
pub(super) use macvlan::{MACVLAN, on as macvlan_on};
pub(super) use plugin::{CAPABILITIES, PLUGIN, address, allow};
pub(super) use sriov::{DEVICEINFO, HUSTCAT, INTEL, SRIOV};

use super::{
    Remark,
    draft::{Device, NetworkDraft},
    fields::Fields,
    keys::{Keys, Manner},
    node::Node,
};
use crate::types::quote;

/// A list of plugins.
pub(super) const LIST: Keys = Keys {
    of: "CNI, a list",
    manner: Manner::Loose,
    taken: &[
        ("cniVersion", "read: every version says the same here"),
        ("cniVersions", "read: every version says the same here"),
        ("name", "`network.name`"),
        ("plugins", "the first one gives the interface, the others are chained"),
    ],
    dropped: &[
        ("disableCheck", "no counterpart: `vfhook serve` looks all the time"),
        ("disableGC", "no counterpart: `vfhook serve` looks all the time"),
        ("loadOnlyInlinedPlugins", "no counterpart"),
        ("dns", "no counterpart: vfhook leaves DNS alone"),
    ],
    also: &[],
};

/// The `type` of a plugin that gives the interface.
pub(super) const TYPES: Keys = Keys {
    of: "CNI, types",
    manner: Manner::Loose,
    taken: &[
        ("sriov", "a pool of `kind = \"sriov\"`, or that of its resource"),
        ("macvlan", "a pool of `kind = \"macvlan\"`"),
    ],
    dropped: &[
        ("ipvlan", "refused: a pool of kind = \"ipvlan\" is to be written by hand"),
        (
            "vlan",
            "refused: a pool of kind = \"vlan\" is to be written by hand; a VF's tag is `network.vlan`",
        ),
        ("host-device", "refused: a pool of kind = \"host-device\" is to be written by hand"),
        ("bond", "refused: a pool of kind = \"bond\" is to be written by hand"),
        ("ib-sriov", "refused: vfhook gives no InfiniBand devices"),
        ("ovs", "refused: vfhook puts nothing into an Open vSwitch"),
        ("bridge", "passed over: it stays what it is, beside vfhook"),
        ("ptp", "passed over: it stays what it is, beside vfhook"),
        ("loopback", "passed over: it stays what it is, beside vfhook"),
        ("calico", "passed over: it stays what it is, beside vfhook"),
        ("flannel", "passed over: it stays what it is, beside vfhook"),
        ("cilium-cni", "passed over: it stays what it is, beside vfhook"),
        ("weave-net", "passed over: it stays what it is, beside vfhook"),
        (
            "multus",
            "passed over: its delegates stay what they are; each NetworkAttachmentDefinition is for its own namespace here, as with namespaceIsolation",
        ),
        ("genie", "passed over: the cluster's plugin stays what it is"),
    ],
    also: &[],
};

/// Makes `node` a network; `None` (with a remark) where it is of a plugin that stays beside vfhook.
pub(super) fn read(
    node: &Node,
    name: Option<&str>,
    remarks: &mut Vec<Remark>,
) -> Result<Option<NetworkDraft>, Remark> {
    let mut own = Vec::new();
    if !node.has("plugins") {
        let named = node.map().unwrap_or_default().iter();
        let named = named.rev().find(|(key, _)| key.name.eq_ignore_ascii_case("name"));
        let own_name = named.and_then(|(_, node)| node.text());
        let draft = start(node, name.or(own_name))?;
        return main(node, draft, remarks);
    }
    let mut fields = Fields::of(node, &LIST, &mut own)?;
    fields.skip(&["cniVersion", "cniVersions"]);
    let own_name = fields.text("name")?;
    let draft = start(node, name.or(own_name))?;
    let plugins = fields.list("plugins")?;
    fields.finish()?;
    let [first, chained @ ..] = plugins else {
        return Err(node.place.remark("plugins: the list is empty"));
    };
    let Some(mut draft) = main(first, draft, remarks)? else { return Ok(None) };
    draft.remarks.append(&mut own);
    for plugin in chained {
        chained::read(plugin, &mut draft)?;
    }
    Ok(Some(draft))
}

fn start(node: &Node, name: Option<&str>) -> Result<NetworkDraft, Remark> {
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| node.place.remark("name is missing"))?;
    Ok(NetworkDraft::new(&node.place, name, Device::Injected))
}

/// Reads the plugin that gives the interface.
fn main(
    node: &Node,
    mut draft: NetworkDraft,
    remarks: &mut Vec<Remark>,
) -> Result<Option<NetworkDraft>, Remark> {
    match kind(node)? {
        "sriov" => sriov::read(node, &mut draft)?,
        "macvlan" => macvlan::read(node, &mut draft)?,
        other => {
            let shown = quote(other);
            let why = TYPES.dropped(other).unwrap_or("refused: no such plugin is known");
            if let Some(why) = why.strip_prefix("passed over: ") {
                remarks.push(node.place.remark(format!("plugin {shown}: {why}")));
                return Ok(None);
            }
            let why = why.strip_prefix("refused: ").unwrap_or(why);
            return Err(node.place.remark(format!("plugin {shown}: {why}")));
        }
    }
    Ok(Some(draft))
}

/// The `type` of a plugin.
fn kind(node: &Node) -> Result<&str, Remark> {
    let entries = node.map().ok_or_else(|| node.expected("a plugin", "an object"))?;
    let found = entries.iter().rfind(|(key, _)| key.name.eq_ignore_ascii_case("type"));
    let (_, found) = found.ok_or_else(|| node.place.remark("type is missing"))?;
    found.text().ok_or_else(|| found.expected("type", "a string"))
}
