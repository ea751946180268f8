//! The SR-IOV network device plugin's configuration, made pools. Pure.

use super::{
    Remark,
    draft::{Kind, PoolDraft, Resource, Selector},
    fields::Fields,
    function::{Functions, pci_ids},
    keys::{Keys, Manner},
    node::Node,
    placeholder,
};
use crate::types::quote;

/// The whole of it.
pub(super) const DEVICE_PLUGIN: Keys = Keys {
    of: "device plugin",
    manner: Manner::Loose,
    taken: &[("resourceList", "a pool each")],
    dropped: &[],
    also: &[],
};

/// An element of `resourceList`.
pub(super) const RESOURCE: Keys = Keys {
    of: "device plugin, a resource",
    manner: Manner::Loose,
    taken: &[
        (
            "resourceName",
            "`pool.name`, of a-z, 0-9 and dashes; `publish = \"device-plugin\"`: pods ask for `vfhook.dev/NAME`",
        ),
        ("resourcePrefix", "read: by it a NetworkAttachmentDefinition finds the pool"),
        ("deviceType", "netDevice; others are refused"),
        (
            "selectors",
            "what the pool selects; where vfhook cannot say alternatives in one pool they become several",
        ),
    ],
    dropped: &[
        ("excludeTopology", "no counterpart: kubelet is told the NUMA node"),
        ("additionalInfo", "no counterpart: a container is given no such variables"),
    ],
    also: &[],
};

/// An element of `selectors`.
pub(super) const SELECTORS: Keys = Keys {
    of: "device plugin, selectors",
    manner: Manner::Selecting,
    taken: &[
        ("vendors", "`pool.vendor`"),
        ("devices", "`pool.device`"),
        (
            "drivers",
            "`pool.driver`; those for user space (vfio-pci, igb_uio, uio_pci_generic) are refused yet",
        ),
        ("pciAddresses", "`pool.pci`: addresses of VFs; a whole card is not given yet"),
        ("pfNames", "`pool.pf` and `pool.vf`; a card's own function is never given"),
        ("rootDevices", "`pool.pf` (an address) and `pool.vf`"),
        ("linkTypes", "ether; infiniband is refused"),
        ("vdpaType", "refused"),
        ("ddpProfiles", "refused: a pool cannot select by it"),
        ("acpiIndexes", "refused: a pool cannot select by it"),
        ("pKeys", "refused: a pool cannot select by it"),
        ("auxTypes", "refused: devices of the auxiliary bus are not given yet"),
    ],
    dropped: &[
        (
            "isRdma",
            "a container gets the interface alone; rdma = true in its networks gives the RDMA device too",
        ),
        ("needVhostNet", "vfhook gives no device nodes (/dev/vhost-net, /dev/net/tun)"),
    ],
    also: &[],
};

/// Reads all resources; one that is refused is not in the way of the next.
pub(super) fn read(
    node: &Node,
    remarks: &mut Vec<Remark>,
    mut take: impl FnMut(Result<PoolDraft, Remark>),
) -> Result<(), Remark> {
    let mut fields = Fields::of(node, &DEVICE_PLUGIN, remarks)?;
    for element in fields.list("resourceList")? {
        take(resource(element));
    }
    fields.finish()
}

fn resource(node: &Node) -> Result<PoolDraft, Remark> {
    placeholder::refuse(node)?;
    let mut remarks = Vec::new();
    let mut fields = Fields::of(node, &RESOURCE, &mut remarks)?;
    let name = fields.required("resourceName")?.to_owned();
    let prefix = fields.text("resourcePrefix")?.map(str::to_owned);
    let place = fields.place_of("deviceType");
    let device_type = fields.text("deviceType")?.unwrap_or("netDevice");
    if !device_type.eq_ignore_ascii_case("netDevice") {
        let kind = quote(device_type);
        return Err(place
            .remark(format!("{name}: deviceType {kind}: only netDevice has a counterpart yet")));
    }
    let place = fields.place_of("selectors");
    let selectors = fields.node("selectors");
    let selectors =
        selectors.ok_or_else(|| place.remark(format!("{name}: selectors is missing")))?;
    let mut alternatives = Vec::new();
    let elements = selectors.list().map_or_else(|| vec![selectors], |list| list.iter().collect());
    for element in elements {
        alternatives.append(&mut selector(element, fields.remarks())?);
    }
    if alternatives.is_empty() {
        return Err(place.remark(format!("{name}: selectors is empty")));
    }
    fields.finish()?;
    Ok(PoolDraft {
        place: node.place.clone(),
        resource: Some(Resource { prefix, name: name.clone() }),
        name,
        kind: Kind::Sriov,
        selectors: alternatives,
        num_vfs: None,
        counted: true,
        mtu: None,
        remarks,
    })
}

fn selector(node: &Node, remarks: &mut Vec<Remark>) -> Result<Vec<Selector>, Remark> {
    let mut fields = Fields::of(node, &SELECTORS, remarks)?;
    for key in ["vdpaType", "ddpProfiles", "acpiIndexes", "pKeys", "auxTypes"] {
        if let Some(node) = fields.node(key).filter(|node| !node.is_nothing()) {
            let wrong = format!(
                "{key}: a pool cannot select by it, and without it there would be more devices than were meant"
            );
            return Err(node.place.remark(wrong));
        }
    }
    let links = fields.texts("linkTypes")?;
    if !links.is_empty() && !links.iter().any(|(link, _)| link.eq_ignore_ascii_case("ether")) {
        return Err(fields.place().remark("linkTypes: vfhook gives no InfiniBand devices"));
    }
    let rest = Selector {
        vendor: pci_ids(&fields.texts("vendors")?, "vendors")?,
        device: pci_ids(&fields.texts("devices")?, "devices")?,
        driver: drivers(&mut fields)?,
        pci: fields.parsed_list("pciAddresses")?,
        ..Selector::default()
    };
    let names = fields.texts("pfNames")?;
    let functions = Functions { names, addresses: fields.texts("rootDevices")? };
    if !rest.pci.is_empty() {
        let told = "pciAddresses: taken as addresses of VFs; a card that is given whole, as in a virtual machine, is not given yet";
        fields.remark(&node.place, told);
    }
    let selectors = functions.selectors(rest, &node.place, fields.remarks())?;
    fields.finish()?;
    Ok(selectors)
}

/// Drivers of interfaces. Those for user space are alternatives that fall away, or all that was meant.
fn drivers(fields: &mut Fields) -> Result<Vec<String>, Remark> {
    const USER_SPACE: [&str; 3] = ["vfio-pci", "uio_pci_generic", "igb_uio"];
    let place = fields.place_of("drivers");
    let mut drivers = Vec::new();
    let mut left_out = Vec::new();
    for (driver, place) in fields.texts("drivers")? {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if driver.is_empty() || driver.len() > 64 || !driver.bytes().all(fits) {
            return Err(place.remark(format!("drivers: {} is no driver's name", quote(driver))));
        }
        let list = if USER_SPACE.contains(&driver) { &mut left_out } else { &mut drivers };
        list.push(driver.to_owned());
    }
    if left_out.is_empty() {
        return Ok(drivers);
    }
    let words = format!(
        "drivers {}: devices for user space are not given yet (bind = \"vfio-pci\")",
        left_out.join(", ")
    );
    if drivers.is_empty() {
        return Err(place.remark(words));
    }
    fields.remark(&place, words);
    Ok(drivers)
}
