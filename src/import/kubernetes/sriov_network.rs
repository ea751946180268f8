//! The operators' networks, of which they make others: `SriovNetwork`, `MacvlanNetwork`. Pure.

use super::{
    super::{
        Remark,
        cni::{self, Spelling},
        draft::{Device, NetworkDraft, Resource},
        fields::Fields,
        json,
        keys::{Keys, Manner},
        node::{Node, Text, Value},
    },
    object::{metadata, namespace, namespaces, spec},
};

/// `spec` of a `SriovNetwork`.
pub(in super::super) const SRIOV_NETWORK: Keys = Keys {
    of: "SriovNetwork",
    manner: Manner::Cased,
    taken: &[
        ("networkNamespace", "`allow.namespaces`; the object's own without it"),
        ("resourceName", "`network.pool`, by the policy or the device plugin's configuration"),
        ("vlan", "`network.vlan.id`; 0 says nothing"),
        ("vlanQoS", "`network.vlan.qos`"),
        ("vlanProto", "`network.vlan.protocol`"),
        ("spoofChk", "`network.spoof_check`"),
        ("trust", "`network.trust`"),
        ("linkState", "`network.link_state`"),
        ("minTxRate", "`network.min_tx_rate`"),
        ("maxTxRate", "`network.max_tx_rate`"),
        ("ipam", "as CNI's, in a string"),
        ("capabilities", "as CNI's, in a string"),
        ("metaPlugins", "chained plugins, objects with commas between in a string"),
    ],
    dropped: &[("logLevel", "vfhook logs by `--log`"), ("logFile", "vfhook logs by `--log`")],
    also: &[],
};

/// `spec` of a `MacvlanNetwork`.
pub(in super::super) const MACVLAN_NETWORK: Keys = Keys {
    of: "MacvlanNetwork",
    manner: Manner::Cased,
    taken: &[
        ("networkNamespace", "`allow.namespaces`; `default` without it"),
        ("master", "`pool.pf` of a pool of `kind = \"macvlan\"`"),
        ("mode", "bridge; others are refused"),
        ("mtu", "`network.mtu`"),
        ("ipam", "as CNI's, in a string"),
    ],
    dropped: &[],
    also: &[],
};

const SPELLING: Spelling = Spelling {
    vlan: "vlan",
    qos: "vlanQoS",
    protocol: "vlanProto",
    spoof_check: "spoofChk",
    trust: "trust",
    link_state: "linkState",
    min_rate: "minTxRate",
    max_rate: "maxTxRate",
    zero_is_an_order: false,
};

/// Reads a `SriovNetwork`.
pub(super) fn read(object: &Node) -> Result<NetworkDraft, Remark> {
    let mut remarks = Vec::new();
    let about = metadata(object, &mut remarks)?;
    let mut fields = Fields::of(spec(object)?, &SRIOV_NETWORK, &mut remarks)?;
    let target = fields.text("networkNamespace")?;
    let resource = Resource::parse(fields.required("resourceName")?);
    let mut draft = NetworkDraft::new(&object.place, about.name, Device::Resource(resource));
    draft.attributes = cni::attributes(&mut fields, &SPELLING)?;
    let ipam = inside(fields.node("ipam"), "ipam")?;
    cni::address(ipam.as_ref(), &mut draft)?;
    let capabilities = inside(fields.node("capabilities"), "capabilities")?;
    cni::allow(capabilities.as_ref(), &mut draft)?;
    let chained = fields.node("metaPlugins");
    fields.finish()?;
    for plugin in fragments(chained)? {
        cni::chained(&plugin, &mut draft)?;
    }
    let own = target.map(|text| namespace(text, "networkNamespace", object)).transpose()?;
    let own = own.or(about.namespace);
    draft.namespaces = Some(namespaces(own.as_ref(), object, &mut remarks));
    draft.remarks.splice(..0, remarks);
    Ok(draft)
}

/// Reads a `MacvlanNetwork`.
pub(super) fn read_macvlan(object: &Node) -> Result<NetworkDraft, Remark> {
    let mut remarks = Vec::new();
    let about = metadata(object, &mut remarks)?;
    let mut fields = Fields::of(spec(object)?, &MACVLAN_NETWORK, &mut remarks)?;
    let target = fields.text("networkNamespace")?;
    let place = fields.place_of("master");
    let master = fields.text("master")?;
    let device = cni::macvlan_on(master, fields.text("mode")?, &place)?;
    let mut draft = NetworkDraft::new(&object.place, about.name, device);
    draft.mtu = fields.number("mtu")?.filter(|mtu| *mtu > 0);
    let ipam = inside(fields.node("ipam"), "ipam")?;
    cni::address(ipam.as_ref(), &mut draft)?;
    fields.finish()?;
    let own = target.map(|text| namespace(text, "networkNamespace", object)).transpose()?;
    draft.namespaces = Some(namespaces(own.as_ref(), object, &mut remarks));
    draft.remarks.splice(..0, remarks);
    Ok(draft)
}

/// The JSON in a string; an empty one is as good as absent.
fn inside(node: Option<&Node>, key: &str) -> Result<Option<Node>, Remark> {
    let Some(node) = node else { return Ok(None) };
    let Value::Text(text) = &node.value else {
        return Err(node.expected(key, "a string that holds JSON"));
    };
    if text.value.trim().is_empty() {
        return Ok(None);
    }
    json::parse_inside(text, &node.place).map(Some)
}

/// The elements of a list that has no brackets.
fn fragments(node: Option<&Node>) -> Result<Vec<Node>, Remark> {
    let Some(node) = node else { return Ok(Vec::new()) };
    let Value::Text(text) = &node.value else {
        return Err(node.expected("metaPlugins", "a string that holds JSON"));
    };
    let bracketed = |text: &str| format!("[{text}]");
    let lines = text.lines.as_ref().map(|(first, lines)| (first.clone(), bracketed(lines)));
    let list = json::parse_inside(&Text { value: bracketed(&text.value), lines }, &node.place)?;
    if let Value::List(elements) = list.value { Ok(elements) } else { Ok(Vec::new()) }
}
