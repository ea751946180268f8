//! Virtio cards: a PCI function, and below it the device that has the interface. That is called by a number, which is another one after each
//! start, so a virtio card is known by its function.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::function::{Sysfs, address_behind, is_virtio};
use crate::types::PciAddress;

impl Sysfs {
    /// The drivers of the device: a virtio card has one of its bus and one of its kind.
    pub(super) fn drivers(&self, address: PciAddress) -> Vec<String> {
        let below = self.virtio(address).and_then(|below| {
            let link = fs::read_link(below.join("driver")).ok()?;
            Some(link.file_name()?.to_str()?.to_owned())
        });
        self.driver(address).into_iter().chain(below).collect()
    }

    /// The virtio device that a PCI function is. It has the interface, and its number is another one after each start.
    fn virtio(&self, address: PciAddress) -> Option<PathBuf> {
        let entries = fs::read_dir(self.device(address)).ok()?.flatten();
        let mut below = entries.filter(|entry| is_virtio(&entry.file_name()));
        below.next().map(|entry| entry.path())
    }

    /// Where the interfaces of a device are told of.
    pub(super) fn net(&self, address: PciAddress) -> PathBuf {
        let own = self.device(address).join("net");
        if own.exists() {
            return own;
        }
        self.virtio(address).map_or(own, |below| below.join("net"))
    }
}

/// The PCI function that the virtio device of this name is.
pub(crate) fn function_of_virtio(name: &str) -> Option<PciAddress> {
    let name = OsStr::new(name);
    is_virtio(name).then(|| address_behind(&Path::new("/sys/bus/virtio/devices").join(name)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = "0000:01:00.0";

    #[test]
    fn a_virtio_device_is_the_function_above_it() {
        let directory = tempfile::tempdir().unwrap();
        let sysfs = Sysfs { root: directory.path().to_owned() };
        let function = sysfs.device(CARD.parse().unwrap());
        let own = function.join("virtio7").join("net").join("ens3");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("ifindex"), "4").unwrap();
        std::os::unix::fs::symlink("../..", own.join("device")).unwrap();
        std::os::unix::fs::symlink(function.join("virtio7"), own.join("by-path")).unwrap();
        let class = directory.path().join("class/net");
        fs::create_dir_all(&class).unwrap();
        std::os::unix::fs::symlink(&own, class.join("ens3")).unwrap();
        assert_eq!(address_behind(&own.join("by-path")), CARD.parse().ok());
        assert_eq!(sysfs.interface_index(CARD.parse().unwrap()), Some(4));
        for name in ["virtio", "virtio2a", "virtio-pci", "0000:01:00.0"] {
            assert!(!is_virtio(OsStr::new(name)), "{name}");
        }
    }
}
