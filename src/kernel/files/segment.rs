//! Finds where the frames of an interface leave the machine: down through VLANs and bonds to the cards below. Reads sysfs and procfs.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

use crate::kernel::sysfs::Sysfs;
use crate::{
    inventory::Link,
    types::{KernelText, Port, Segment, Vlan, VlanProtocol},
};

/// How many interfaces may be one on top of the other.
const DEEPEST: usize = 4;

/// The segments of `link`. One that no card is below is a wire of its own.
pub(crate) fn of(sysfs: &Sysfs, link: &Link) -> Vec<Segment> {
    below(sysfs, &link.name, link.index, DEEPEST)
}

fn below(sysfs: &Sysfs, name: &KernelText, index: u32, depth: usize) -> Vec<Segment> {
    if let Some(function) = sysfs.function_behind(name) {
        return vec![Segment::untagged(Port::Pci(function))];
    }
    let itself = vec![Segment::untagged(Port::Interface(index))];
    let lower = if depth == 0 { Vec::new() } else { sysfs.lower_interfaces(name) };
    let vlan = vlan_of(name);
    let mut found: Vec<Segment> =
        lower.iter().flat_map(|(lower, index)| below(sysfs, lower, *index, depth - 1)).collect();
    // Of the ports of a bridge, those of cards lead to a wire; a guest's do not.
    if lower.len() > 1 {
        found.retain(|segment| matches!(segment.port, Port::Pci(_)));
    }
    let Some(vlan) = vlan else { return if found.is_empty() { itself } else { found } };
    if found.is_empty() || found.iter().any(Segment::has_tag) {
        return itself;
    }
    found.iter().map(|segment| Segment::tagged(segment.port, vlan)).collect()
}

/// The VLAN that a VLAN interface is in. Only its protocol is not shown here; that of a tag alone is the usual one.
fn vlan_of(name: &KernelText) -> Option<Vlan> {
    let path = Path::new("/proc/net/vlan").join(OsStr::from_bytes(name.as_component()?));
    let text = fs::read_to_string(path).ok()?;
    Some(Vlan { id: vlan_id(&text)?, qos: 0, protocol: VlanProtocol::Ieee8021Q })
}

fn vlan_id(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("VID:")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found() {
        let text = "ens1f0.100  VID: 100\t REORDER_HDR: 1  dev->priv_flags: 1021\n";
        assert_eq!(vlan_id(text), Some(100));
        assert_eq!(vlan_id("nothing"), None);
    }
}
