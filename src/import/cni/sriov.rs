//! `"type": "sriov"` of three programs of one name, told apart by their keys. Pure.

use super::{
    super::{
        Place, Remark,
        draft::{Device, Kind, NetworkDraft, PoolDraft, Selector},
        fields::Fields,
        keys::{Keys, Manner},
        node::Node,
    },
    attributes::{self, Spelling},
    plugin::{self, PLUGIN},
};
use crate::types::{DeviceName, IndexRange, PciAddress, VfAttributes, Vlan, VlanProtocol};

const ONE_MAC: &str =
    "one MAC address for all containers: a request says its own where `allow.mac` opens it";

/// hustcat's, from which the others come.
pub(in super::super) const HUSTCAT: Keys = Keys {
    of: "sriov-cni (hustcat)",
    manner: Manner::Loose,
    taken: &[
        ("master", "`pool.pf`"),
        (
            "pfOnly",
            "refused when true: a card's own function is not given yet (`kind = \"host-device\"`)",
        ),
        ("vlan", "`network.vlan`; 0 says nothing. CNI_ARGS VLAN has no counterpart"),
        ("vf", "`pool.vf`; 0 says nothing"),
    ],
    dropped: &[("mac", ONE_MAC)],
    also: &[&PLUGIN],
};

/// Intel's 1.x.
pub(in super::super) const INTEL: Keys = Keys {
    of: "sriov-cni 1.x (Intel)",
    manner: Manner::Loose,
    taken: &[
        ("master", "`pool.pf`"),
        ("if0", "`pool.pf`, as master"),
        ("if0name", "`network.interface`"),
        ("l2enable", "no addresses"),
        ("deviceID", "`pool.pci`"),
        ("deviceinfo", "`pool.pci`, `pool.pf` and `pool.vf`, see deviceinfo"),
        ("dpdk", "refused: a VF is not bound to a driver for user space yet"),
        (
            "pfNetdevices",
            "refused when true: a card's own function is not given yet (`kind = \"host-device\"`)",
        ),
        ("vlan", "`network.vlan`; 0 says nothing"),
    ],
    dropped: &[
        ("sharedvf", "no counterpart: a VF is one sandbox's"),
        ("createmac", "no counterpart"),
        ("cniDir", "vfhook keeps leases in a directory of its own"),
    ],
    also: &[&PLUGIN],
};

/// `deviceinfo` of Intel's.
pub(in super::super) const DEVICEINFO: Keys = Keys {
    of: "deviceinfo",
    manner: Manner::Selecting,
    taken: &[("pci_addr", "`pool.pci`"), ("pfname", "`pool.pf`"), ("vfid", "`pool.vf`")],
    dropped: &[],
    also: &[],
};

/// k8snetworkplumbingwg's, from 2.0 on.
pub(in super::super) const SRIOV: Keys = Keys {
    of: "sriov-cni",
    manner: Manner::Loose,
    taken: &[
        ("deviceID", "`pool.pci`; where Multus puts it in, the resource's pool"),
        ("pciBusID", "as deviceID"),
        ("vlan", "`network.vlan.id`; 0 is an order here too: no VLAN"),
        ("vlanQoS", "`network.vlan.qos`"),
        ("vlanProto", "`network.vlan.protocol`"),
        ("spoofchk", "`network.spoof_check`"),
        ("trust", "`network.trust`"),
        ("link_state", "`network.link_state`"),
        ("min_tx_rate", "`network.min_tx_rate`"),
        ("max_tx_rate", "`network.max_tx_rate`"),
    ],
    dropped: &[
        ("mac", ONE_MAC),
        (
            "mtu",
            "sriov-cni takes it and overwrites it, so it had no effect: `network.mtu` would have one",
        ),
    ],
    also: &[&PLUGIN],
};

const SPELLING: Spelling = Spelling {
    vlan: "vlan",
    qos: "vlanQoS",
    protocol: "vlanProto",
    spoof_check: "spoofchk",
    trust: "trust",
    link_state: "link_state",
    min_rate: "min_tx_rate",
    max_rate: "max_tx_rate",
    zero_is_an_order: true,
};

/// Reads one of the three.
pub(super) fn read(node: &Node, draft: &mut NetworkDraft) -> Result<(), Remark> {
    let has = |keys: &[&str]| keys.iter().any(|key| node.has(key));
    if has(&[
        "if0",
        "if0name",
        "l2enable",
        "deviceinfo",
        "dpdk",
        "pfNetdevices",
        "sharedvf",
        "createmac",
    ]) {
        return intel(node, draft);
    }
    if has(&["master", "pfOnly"]) {
        return hustcat(node, draft);
    }
    let mut remarks = Vec::new();
    let mut fields = Fields::of(node, &SRIOV, &mut remarks)?;
    draft.attributes = attributes::read(&mut fields, &SPELLING)?;
    let fixed: Option<PciAddress> = fields.parsed("deviceID")?;
    let fixed = fields.parsed("pciBusID")?.or(fixed);
    if let Some(address) = fixed {
        own_pool(draft, Selector { pci: vec![address], ..Selector::default() });
    }
    finish(fields, draft, true)?;
    draft.remarks.append(&mut remarks);
    Ok(())
}

fn hustcat(node: &Node, draft: &mut NetworkDraft) -> Result<(), Remark> {
    let mut remarks = Vec::new();
    let mut fields = Fields::of(node, &HUSTCAT, &mut remarks)?;
    let place = fields.place_of("pfOnly");
    if fields.flag("pfOnly")? {
        return Err(whole_card("pfOnly", &place));
    }
    let pf: DeviceName =
        super::super::fields::parsed(fields.required("master")?, "master", &place)?;
    let vf: Option<u32> = fields.number("vf")?.filter(|vf| *vf > 0);
    let vf = vf.and_then(|vf| vf.to_string().parse().ok());
    draft.attributes = tagged(&mut fields)?;
    own_pool(draft, Selector { pf: vec![pf], vf: vf.into_iter().collect(), ..Selector::default() });
    finish(fields, draft, true)?;
    draft.remarks.append(&mut remarks);
    Ok(())
}

fn intel(node: &Node, draft: &mut NetworkDraft) -> Result<(), Remark> {
    let mut remarks = Vec::new();
    let mut fields = Fields::of(node, &INTEL, &mut remarks)?;
    let place = fields.place_of("pfNetdevices");
    if fields.flag("pfNetdevices")? {
        return Err(whole_card("pfNetdevices", &place));
    }
    if let Some(dpdk) = fields.node("dpdk").filter(|dpdk| !dpdk.is_nothing()) {
        let wrong = "dpdk: a VF is not bound to a driver for user space yet";
        return Err(dpdk.place.remark(wrong));
    }
    let mut selector = Selector::default();
    let master = fields.parsed("master")?;
    selector.pf.extend(fields.parsed::<DeviceName>("if0")?.or(master));
    selector.pci.extend(fields.parsed::<PciAddress>("deviceID")?);
    if let Some(device) = fields.node("deviceinfo") {
        read_device(device, &mut selector, fields.remarks())?;
    }
    if selector == Selector::default() {
        return Err(node
            .place
            .remark("which VFs? There is no master, no deviceID and no deviceinfo"));
    }
    draft.interface = fields.parsed("if0name")?;
    let bare = fields.flag("l2enable")?;
    draft.attributes = tagged(&mut fields)?;
    own_pool(draft, selector);
    finish(fields, draft, !bare)?;
    draft.remarks.append(&mut remarks);
    Ok(())
}

fn read_device(
    node: &Node,
    selector: &mut Selector,
    remarks: &mut Vec<Remark>,
) -> Result<(), Remark> {
    let mut fields = Fields::of(node, &DEVICEINFO, remarks)?;
    if let Some(address) = fields.parsed("pci_addr")? {
        selector.pci = vec![address];
    }
    if let Some(pf) = fields.parsed("pfname")? {
        selector.pf = vec![pf];
    }
    let vf: Option<u32> = fields.number("vfid")?;
    selector.vf.extend(vf.and_then(|vf| vf.to_string().parse::<IndexRange>().ok()));
    fields.finish()
}

fn whole_card(key: &str, place: &Place) -> Remark {
    place.remark(format!("{key}: a card's own function is not given yet (kind = \"host-device\")"))
}

/// The tag of the two older ones: they know an id alone.
fn tagged(fields: &mut Fields) -> Result<VfAttributes, Remark> {
    let id: Option<u16> = fields.number("vlan")?.filter(|id| *id > 0);
    let vlan = id.map(|id| Vlan { id, qos: 0, protocol: VlanProtocol::default() });
    Ok(VfAttributes { vlan, ..VfAttributes::default() })
}

fn own_pool(draft: &mut NetworkDraft, selector: Selector) {
    let pool = PoolDraft::own(&draft.place, Kind::Sriov, selector);
    draft.device = Device::Own(Box::new(pool));
}

fn finish(mut fields: Fields, draft: &mut NetworkDraft, addresses: bool) -> Result<(), Remark> {
    plugin::read(&mut fields, draft)?;
    if !addresses {
        draft.addressing = super::super::draft::Addressing::default();
    }
    fields.finish()
}
