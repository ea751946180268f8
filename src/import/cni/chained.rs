//! Plugins that come after the one that gives the interface. Pure.

use super::{
    super::{
        Remark,
        draft::NetworkDraft,
        fields::Fields,
        keys::{Keys, Manner},
        node::Node,
    },
    plugin::{self, PLUGIN},
};

/// The `type` of one.
pub(in super::super) const CHAINED: Keys = Keys {
    of: "CNI, chained plugins",
    manner: Manner::Loose,
    taken: &[("tuning", "see tuning")],
    dropped: &[
        (
            "sbr",
            "vfhook has no source routing yet: where a container has two ways out, answers may leave by the other",
        ),
        ("rdma", "vfhook moves no RDMA device: rdma = true in the network shares it"),
        ("bond", "vfhook makes no bonds yet"),
        ("portmap", "no counterpart: a VF is reached on its own address"),
        ("bandwidth", "no counterpart: the card can limit a VF (`network.max_tx_rate`)"),
        ("firewall", "no counterpart"),
        ("vrf", "no counterpart"),
        ("route-override", "no counterpart"),
    ],
    also: &[],
};

/// `"type": "tuning"`.
pub(in super::super) const TUNING: Keys = Keys {
    of: "tuning",
    manner: Manner::Loose,
    taken: &[("mtu", "`network.mtu`")],
    dropped: &[
        ("sysctl", "vfhook sets no sysctls of a container yet"),
        (
            "mac",
            "one MAC address for all containers: a request says its own where `allow.mac` opens it",
        ),
        ("promisc", "no counterpart"),
        ("allmulti", "no counterpart"),
        ("txQLen", "no counterpart"),
        ("dataDir", "no counterpart"),
    ],
    also: &[&PLUGIN],
};

/// Reads one.
pub(in super::super) fn read(node: &Node, draft: &mut NetworkDraft) -> Result<(), Remark> {
    let kind = super::kind(node)?;
    if kind != "tuning" {
        let why = CHAINED.dropped(kind).unwrap_or("no counterpart");
        let kind = crate::types::quote(kind);
        draft.remarks.push(node.place.remark(format!("chained plugin {kind}: {why}")));
        return Ok(());
    }
    let mut remarks = Vec::new();
    let mut fields = Fields::of(node, &TUNING, &mut remarks)?;
    let mtu = fields.number("mtu")?.filter(|mtu| *mtu > 0);
    draft.mtu = mtu.or(draft.mtu);
    fields.skip(&["cniVersion", "type", "name", "ipam"]);
    plugin::allow(fields.node("capabilities"), draft)?;
    fields.finish()?;
    draft.remarks.append(&mut remarks);
    Ok(())
}
