//! `"type": "macvlan"`: a device made on a parent. Pure.

use super::{
    super::{
        Place, Remark,
        draft::{Device, Kind, NetworkDraft, PoolDraft, Selector},
        fields::{Fields, parsed},
        keys::{Keys, Manner},
        node::Node,
    },
    plugin::{self, PLUGIN},
};
use crate::types::{DeviceName, quote};

/// The plugin's.
pub(in super::super) const MACVLAN: Keys = Keys {
    of: "macvlan",
    manner: Manner::Loose,
    taken: &[
        (
            "master",
            "`pool.pf` of a pool of `kind = \"macvlan\"`; without it, refused: it would be the interface of the default route",
        ),
        ("mode", "bridge, which is vfhook's; others are refused"),
        ("mtu", "`network.mtu`"),
        ("linkInContainer", "refused when true: the parent is the host's"),
    ],
    dropped: &[
        (
            "mac",
            "one MAC address for all containers: a request says its own where `allow.mac` opens it",
        ),
        ("bcqueuelen", "no counterpart"),
    ],
    also: &[&PLUGIN],
};

pub(super) fn read(node: &Node, draft: &mut NetworkDraft) -> Result<(), Remark> {
    let mut remarks = Vec::new();
    let mut fields = Fields::of(node, &MACVLAN, &mut remarks)?;
    let place = fields.place_of("linkInContainer");
    if fields.flag("linkInContainer")? {
        return Err(place.remark("linkInContainer: the parent must be an interface of the host"));
    }
    let place = fields.place_of("master");
    let master = fields.text("master")?;
    let mode = fields.text("mode")?;
    draft.device = on(master, mode, &place)?;
    draft.mtu = fields.number("mtu")?.filter(|mtu| *mtu > 0);
    plugin::read(&mut fields, draft)?;
    fields.finish()?;
    draft.remarks.append(&mut remarks);
    Ok(())
}

/// Macvlan devices on `master`.
pub(in super::super) fn on(
    master: Option<&str>,
    mode: Option<&str>,
    place: &Place,
) -> Result<Device, Remark> {
    if let Some(mode) = mode.filter(|mode| *mode != "bridge") {
        let mode = quote(mode);
        return Err(
            place.remark(format!("mode {mode}: vfhook makes macvlan devices of mode bridge only"))
        );
    }
    let missing = "master is missing: it would be the interface of the default route; write which";
    let master = master.ok_or_else(|| place.remark(missing))?;
    let parent: DeviceName = parsed(master, "master", place)?;
    let selector = Selector { pf: vec![parent], ..Selector::default() };
    Ok(Device::Own(Box::new(PoolDraft::own(place, Kind::Macvlan, selector))))
}
