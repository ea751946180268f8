//! The `ipam` of a CNI configuration: which addresses there are, by the plugin that gives them. Pure.

mod fixed;
mod fixipam;
mod host_local;
mod route;
mod span;
mod whereabouts;

pub(super) use fixed::{STATIC, STATIC_ADDRESS};
pub(super) use fixipam::FIXIPAM;
pub(super) use host_local::{HOST_LOCAL, RANGE};
pub(super) use route::ROUTE;
pub(super) use whereabouts::{WHEREABOUTS, WHEREABOUTS_RANGE};

use super::{
    Remark,
    draft::Addressing,
    fields::Fields,
    keys::{Keys, Manner},
    node::{Node, Value},
};
use crate::types::quote;

/// `"type": "dhcp"`.
pub(super) const DHCP: Keys = Keys {
    of: "dhcp",
    manner: Manner::Loose,
    taken: &[(
        "type",
        "a comment: vfhook asks no DHCP server yet, so the network has no addresses",
    )],
    dropped: &[
        ("daemonSocketPath", "no counterpart"),
        ("request", "no counterpart yet"),
        ("provide", "no counterpart yet"),
        ("priority", "no counterpart"),
    ],
    also: &[],
};

/// Reads the value of `ipam`, if there is one.
pub(super) fn read(node: Option<&Node>, remarks: &mut Vec<Remark>) -> Result<Addressing, Remark> {
    let Some(node) = node else { return Ok(Addressing::default()) };
    let entries = node.map().ok_or_else(|| node.expected("ipam", "an object"))?;
    let kind = entries.iter().rfind(|(key, _)| key.name.eq_ignore_ascii_case("type"));
    let kind = match kind.map(|(_, node)| (node, &node.value)) {
        None | Some((_, Value::Null)) => "",
        Some((_, Value::Text(text))) => &text.value,
        Some((node, _)) => return Err(node.expected("ipam.type", "a string")),
    };
    match kind {
        "" => Ok(Addressing::default()),
        "host-local" => host_local::read(node, remarks),
        "static" => fixed::read(node, remarks),
        "whereabouts" => whereabouts::read(node, remarks),
        "fixipam" => fixipam::read(node, remarks),
        "dhcp" => {
            let mut fields = Fields::of(node, &DHCP, remarks)?;
            fields.skip(&["type"]);
            fields.remark(
                &node.place,
                "dhcp: vfhook asks no DHCP server yet: the network has no addresses",
            );
            fields.finish()?;
            Ok(Addressing::default())
        }
        other => {
            let told =
                format!("ipam {}: no counterpart: the network has no addresses", quote(other));
            remarks.push(node.place.remark(told));
            Ok(Addressing::default())
        }
    }
}
