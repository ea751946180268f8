//! A `SriovNetworkNodePolicy` made a pool. Pure.

use super::{
    super::{
        Remark,
        draft::{Kind, PoolDraft, Resource, Selector},
        fields::Fields,
        function::{Functions, pci_ids},
        keys::{Keys, Manner},
        node::Node,
    },
    object::spec,
};
use crate::types::quote;

/// `spec`.
pub(in super::super) const NODE_POLICY: Keys = Keys {
    of: "SriovNetworkNodePolicy",
    manner: Manner::Cased,
    taken: &[
        (
            "resourceName",
            "`pool.name`, of a-z, 0-9 and dashes; `publish = \"device-plugin\"`: pods ask for `vfhook.dev/NAME`",
        ),
        ("numVfs", "`pool.num_vfs`"),
        ("externallyManaged", "no `num_vfs` when true"),
        ("nicSelector", "what the pool selects"),
        ("deviceType", "netdevice; vfio-pci is refused yet"),
        ("mtu", "`network.mtu` of its networks; the card's own is set outside of vfhook"),
        ("linkType", "eth; ib is refused"),
        ("eSwitchMode", "legacy; switchdev is refused"),
        ("vdpaType", "refused"),
        ("bridge", "refused"),
    ],
    dropped: &[
        ("nodeSelector", "the configuration is one node's: leave out the pools of other nodes"),
        (
            "priority",
            "no counterpart: where policies overlap, leave out the one with the higher number",
        ),
        (
            "isRdma",
            "a container gets the interface alone; rdma = true in its networks gives the RDMA device too",
        ),
        ("needVhostNet", "vfhook gives no device nodes (/dev/vhost-net, /dev/net/tun)"),
        ("excludeTopology", "no counterpart: kubelet is told the NUMA node"),
    ],
    also: &[],
};

/// `nicSelector`.
pub(in super::super) const NIC_SELECTOR: Keys = Keys {
    of: "nicSelector",
    manner: Manner::Selecting,
    taken: &[
        ("vendor", "`pool.vendor`"),
        (
            "deviceID",
            "a comment: it is the card's id, `pool.device` is the VFs'; refused where nothing else says which card",
        ),
        ("pfNames", "`pool.pf` and `pool.vf`"),
        ("rootDevices", "`pool.pf` (an address) and `pool.vf`"),
        ("netFilter", "refused: a pool cannot select by it"),
    ],
    dropped: &[],
    also: &[],
};

/// Reads one.
pub(super) fn read(object: &Node) -> Result<PoolDraft, Remark> {
    let mut remarks = Vec::new();
    let mut fields = Fields::of(spec(object)?, &NODE_POLICY, &mut remarks)?;
    let name = fields.required("resourceName")?;
    for (key, right) in [
        ("deviceType", "netdevice"),
        ("linkType", "eth"),
        ("eSwitchMode", "legacy"),
        ("vdpaType", ""),
    ] {
        let place = fields.place_of(key);
        let found = fields.text(key)?.unwrap_or(right);
        let fits = found.eq_ignore_ascii_case(right)
            || (key == "linkType" && found.eq_ignore_ascii_case("ether"));
        if !fits {
            return Err(place.remark(format!("{key} {}: has no counterpart yet", quote(found))));
        }
    }
    if let Some(bridge) = fields.node("bridge").filter(|bridge| !bridge.is_nothing()) {
        return Err(bridge.place.remark("bridge: vfhook puts nothing into an Open vSwitch"));
    }
    let external = fields.flag("externallyManaged")?;
    let num_vfs = fields.number("numVfs")?.filter(|number| *number > 0 && !external);
    let place = fields.place_of("mtu");
    let mtu: Option<u32> = fields.number("mtu")?.filter(|mtu| *mtu > 0);
    if let Some(mtu) = mtu {
        fields.remark(&place, format!("mtu: give the card itself {mtu} at each boot (ip link set PF mtu {mtu}); vfhook sets it on VFs alone"));
    }
    let nic = fields.node("nicSelector");
    let nic = nic.ok_or_else(|| object.place.remark("nicSelector is missing"))?;
    let selectors = selectors(nic, fields.remarks())?;
    fields.finish()?;
    Ok(PoolDraft {
        place: object.place.clone(),
        name: name.to_owned(),
        resource: Some(Resource::parse(name)),
        kind: Kind::Sriov,
        selectors,
        num_vfs,
        counted: true,
        mtu,
        remarks,
    })
}

fn selectors(node: &Node, remarks: &mut Vec<Remark>) -> Result<Vec<Selector>, Remark> {
    let mut fields = Fields::of(node, &NIC_SELECTOR, remarks)?;
    if let Some(filter) = fields.node("netFilter").filter(|filter| !filter.is_nothing()) {
        let wrong = "netFilter: a pool cannot select by it, and without it there would be more devices than were meant";
        return Err(filter.place.remark(wrong));
    }
    let place = fields.place_of("vendor");
    let vendor: Vec<_> = fields.text("vendor")?.into_iter().map(|text| (text, &place)).collect();
    let rest = Selector { vendor: pci_ids(&vendor, "vendor")?, ..Selector::default() };
    let names = fields.texts("pfNames")?;
    let functions = Functions { names, addresses: fields.texts("rootDevices")? };
    let place = fields.place_of("deviceID");
    let device = fields.text("deviceID")?;
    let nameless = functions.names.is_empty() && functions.addresses.is_empty();
    if device.is_some() && !nameless {
        let told = "deviceID: it is the card's, which pf names already; a pool's device would be the VFs' id";
        fields.remark(&place, told);
    }
    let selectors = functions.selectors(rest, &node.place, fields.remarks())?;
    fields.finish()?;
    match device {
        Some(_) if nameless => Err(place.remark(
            "deviceID: a pool does not select by the card's id: write pfNames or rootDevices",
        )),
        None if nameless => {
            Err(node.place.remark("nicSelector names no card: write pfNames or rootDevices"))
        }
        _ => Ok(selectors),
    }
}
