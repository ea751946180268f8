//! Whether the wire is there for a VF, as its card has it: a VF's own carrier is in its sandbox, and follows the card's. Looks only.

use std::{fs, path::Path};

use vfhook::{lease::Attached, types::PciAddress};

/// Where the kernel shows PCI devices.
pub(super) const DEVICES: &str = "/sys/bus/pci/devices";

/// Whether what a sandbox was given can have lost its wire; a bond has, once all of its links have. Of what is no VF nobody can tell.
pub(super) fn is_lost(devices: &Path, had: &Attached) -> bool {
    let mut vfs = had.each().filter_map(|one| one.device).peekable();
    vfs.peek().is_some() && vfs.all(|vf| card_has_none(devices, vf))
}

/// A card that is down tells nothing (`EINVAL`), and that may be meant so.
fn card_has_none(devices: &Path, vf: PciAddress) -> bool {
    let interfaces = fs::read_dir(devices.join(vf.to_string()).join("physfn/net"));
    let mut carriers = interfaces
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|one| fs::read_to_string(one.path().join("carrier")).ok())
        .peekable();
    carriers.peek().is_some() && carriers.all(|carrier| carrier.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_is_lost_when_all_links_say_so() {
        let devices = tempfile::tempdir().unwrap();
        let card = |vf: &str, carrier: Option<&str>| {
            let pf = devices.path().join(vf).join("physfn/net/ens1f0");
            fs::create_dir_all(&pf).unwrap();
            if let Some(carrier) = carrier {
                fs::write(pf.join("carrier"), carrier).unwrap();
            }
        };
        card("0000:01:10.0", Some("1\n"));
        card("0000:01:10.2", Some("0\n"));
        card("0000:01:10.4", None);
        let lease = include_str!("../../../../tests/data/lease/v1-pod.json");
        let lease: vfhook::lease::Lease = serde_json::from_str(lease).unwrap();
        let one = |device: Option<&str>| Attached {
            device: device.map(|text| text.parse().unwrap()),
            members: Vec::new(),
            ..lease.networks[0].clone()
        };
        let bond = |links: &[&str]| Attached {
            members: links.iter().map(|link| one(Some(link))).collect(),
            ..one(None)
        };
        let is_lost = |had: Attached| is_lost(devices.path(), &had);
        assert!(is_lost(one(Some("0000:01:10.2"))));
        for vf in ["0000:01:10.0", "0000:01:10.4", "0000:09:10.0"] {
            assert!(!is_lost(one(Some(vf))), "{vf}");
        }
        assert!(!is_lost(one(None)));
        assert!(is_lost(bond(&["0000:01:10.2", "0000:01:10.2"])));
        assert!(!is_lost(bond(&["0000:01:10.2", "0000:01:10.0"])));
    }
}
