//! The keys that every CNI plugin's configuration has. Pure.

use super::super::{
    Remark,
    draft::NetworkDraft,
    fields::Fields,
    ipam,
    keys::{Keys, Manner},
    node::Node,
};

/// Any plugin's.
pub(in super::super) const PLUGIN: Keys = Keys {
    of: "CNI, any plugin",
    manner: Manner::Loose,
    taken: &[
        ("cniVersion", "read: every version says the same here"),
        ("type", "read: which plugin it is, see below"),
        (
            "name",
            "`network.name`, of a-z, 0-9 and dashes; a NetworkAttachmentDefinition has a name of its own, which counts",
        ),
        ("ipam", "`network.addresses`, `gateway` and `default_route`, see the address plugins"),
        ("capabilities", "`allow.mac`, `allow.addresses`, see capabilities"),
    ],
    dropped: &[
        ("dns", "no counterpart: vfhook leaves DNS alone"),
        ("args", "was for one container: a request has its own annotation"),
        ("runtimeConfig", "was for one container: a request has its own annotation"),
        ("prevResult", "was for one container"),
        ("logLevel", "vfhook logs by `--log`"),
        ("logFile", "vfhook logs by `--log`"),
    ],
    also: &[],
};

/// The words of `capabilities`.
pub(in super::super) const CAPABILITIES: Keys = Keys {
    of: "capabilities",
    manner: Manner::Loose,
    taken: &[
        ("mac", "`allow.mac`"),
        ("ips", "`allow.addresses`, within the ranges of the network"),
        ("deviceID", "read: the pool says which devices there are"),
        ("CNIDeviceInfoFile", "read: no such file is written"),
    ],
    dropped: &[
        ("portMappings", "no counterpart"),
        ("bandwidth", "no counterpart: `network.max_tx_rate` is for all containers of a network"),
        ("infinibandGUID", "no counterpart"),
        ("dns", "no counterpart: vfhook leaves DNS alone"),
    ],
    also: &[],
};

/// Takes what every plugin may have: addresses, and what a request may choose.
pub(super) fn read(fields: &mut Fields, draft: &mut NetworkDraft) -> Result<(), Remark> {
    fields.skip(&["cniVersion", "type", "name"]);
    let addresses = fields.node("ipam");
    let capabilities = fields.node("capabilities");
    address(addresses, draft)?;
    allow(capabilities, draft)
}

/// Takes the value of `ipam`.
pub(in super::super) fn address(
    ipam: Option<&Node>,
    draft: &mut NetworkDraft,
) -> Result<(), Remark> {
    draft.addressing = ipam::read(ipam, &mut draft.remarks)?;
    draft.allow_addresses |= draft.addressing.chosen;
    Ok(())
}

/// Takes the value of `capabilities`.
pub(in super::super) fn allow(
    capabilities: Option<&Node>,
    draft: &mut NetworkDraft,
) -> Result<(), Remark> {
    let Some(node) = capabilities else { return Ok(()) };
    let mut fields = Fields::of(node, &CAPABILITIES, &mut draft.remarks)?;
    fields.skip(&["deviceID", "CNIDeviceInfoFile"]);
    let (mac, ips) = (fields.flag("mac")?, fields.flag("ips")?);
    fields.finish()?;
    draft.allow_mac |= mac;
    draft.allow_addresses |= ips;
    Ok(())
}
