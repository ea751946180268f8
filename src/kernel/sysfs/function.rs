//! What sysfs tells of PCI functions, and the one thing that is written there.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use nix::net::if_::if_nametoindex;

use crate::kernel::KernelError;
use crate::{
    inventory::{Candidate, PhysicalFunction, Properties},
    types::{DeviceSelector, KernelText, PciAddress},
};

/// The mounted sysfs.
#[derive(Debug, Clone)]
pub(crate) struct Sysfs {
    pub(super) root: PathBuf,
}

impl Default for Sysfs {
    fn default() -> Self {
        Self { root: PathBuf::from("/sys") }
    }
}

impl Sysfs {
    /// Every physical function that has made VFs or could, each once whatever interfaces it has, in order of their names.
    pub(crate) fn all_physical_functions(&self) -> Result<Vec<PhysicalFunction>, KernelError> {
        let path = self.root.join("class/net");
        let entries =
            fs::read_dir(&path).map_err(KernelError::io("list", path.display().to_string()))?;
        let devices = entries.flatten().map(|entry| entry.path().join("device"));
        let functions: BTreeSet<PciAddress> = devices
            .filter(|device| device.join("sriov_totalvfs").exists())
            .filter_map(|device| address_behind(&device))
            .collect();
        let mut found: Vec<_> = functions
            .into_iter()
            .filter_map(|address| self.physical_function(address, None).ok())
            .collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// The physical function at `address`, shown by the name `called` where that is one of its interfaces; why there is none
    /// otherwise.
    pub(crate) fn physical_function(
        &self,
        address: PciAddress,
        called: Option<&KernelText>,
    ) -> Result<PhysicalFunction, &'static str> {
        if !self.exists(address) {
            return Err("there is no such device on this host");
        }
        let total_vfs = number(&self.device(address).join("sriov_totalvfs"))
            .map_err(|_| "it has no SR-IOV capability")?;
        let name = self.port(address, called);
        let name = name.unwrap_or_else(|| KernelText::new(address.to_string()));
        // By the links to them: `sriov_numvfs` cannot be read while a driver makes VFs.
        let vfs = (0..total_vfs).map_while(|index| {
            let vf = self.vf(address, index)?;
            Some(Candidate { address: vf, index, pf_address: address, pf_name: name.clone() })
        });
        let vfs: Vec<Candidate> = vfs.collect();
        let num_vfs = u32::try_from(vfs.len()).unwrap_or(total_vfs);
        Ok(PhysicalFunction { address, name, total_vfs, num_vfs, vfs })
    }

    /// Whether there is an interface of this main name.
    pub(crate) fn has_interface(&self, name: &KernelText) -> bool {
        self.class(name).exists()
    }

    /// The PCI function behind the interface of this main name.
    pub(crate) fn address_of(&self, name: &KernelText) -> Option<PciAddress> {
        address_behind(&self.class(name).join("device"))
    }

    /// Whether the ids, driver and node of a device are among those that `selector` names.
    pub(crate) fn matches(&self, address: PciAddress, selector: &DeviceSelector) -> bool {
        let id = |file: &str| {
            let text = fs::read_to_string(self.device(address).join(file)).unwrap_or_default();
            u16::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
        };
        let among = |wanted: &[u16], file: &str| {
            wanted.is_empty() || id(file).is_some_and(|id| wanted.contains(&id))
        };
        let driver = || self.drivers(address).iter().any(|driver| selector.driver.contains(driver));
        let node =
            || self.numa_node(address).is_some_and(|node| selector.numa_node.contains(&node));
        among(&selector.vendor, "vendor")
            && among(&selector.device, "device")
            && (selector.driver.is_empty() || driver())
            && (selector.numa_node.is_empty() || node())
    }

    /// The NUMA node of a device as sysfs tells it: -1 for none.
    pub(crate) fn numa_node(&self, address: PciAddress) -> Option<i32> {
        let text = fs::read_to_string(self.device(address).join("numa_node")).ok()?;
        text.trim().parse().ok()
    }

    /// What a VF is, wherever its interface is.
    pub(crate) fn properties(&self, vf: &Candidate) -> Properties {
        /// `ARPHRD_INFINIBAND`.
        const INFINIBAND: u32 = 32;
        let device = self.device(vf.address);
        let id = |file: &str| {
            let text = fs::read_to_string(device.join(file)).unwrap_or_default();
            text.trim().trim_start_matches("0x").to_owned()
        };
        Properties {
            // -1 where there are none.
            numa_node: self.numa_node(vf.address).and_then(|node| u32::try_from(node).ok()),
            vendor: id("vendor"),
            device: id("device"),
            driver: self.driver(vf.address),
            // Of the card: the VF's own interface may be in a sandbox.
            is_infiniband: number(&self.class(&vf.pf_name).join("type")).ok() == Some(INFINIBAND),
            has_rdma: device.join("infiniband").exists(),
            pcie_root: self.pcie_root(vf.address),
        }
    }

    /// The first part of where a device really is: `/sys/devices/pci0000:00/…`.
    fn pcie_root(&self, address: PciAddress) -> Option<String> {
        let path = fs::canonicalize(self.device(address)).ok()?;
        let below = path.strip_prefix(self.root.join("devices")).ok()?;
        let root = below.components().next()?.as_os_str().to_str()?;
        root.starts_with("pci").then(|| root.to_owned())
    }

    /// Whether the device is there at all.
    pub(crate) fn exists(&self, address: PciAddress) -> bool {
        self.device(address).exists()
    }

    /// The driver bound to the device.
    pub(crate) fn driver(&self, address: PciAddress) -> Option<String> {
        let link = fs::read_link(self.device(address).join("driver")).ok()?;
        Some(link.file_name()?.to_str()?.to_owned())
    }

    /// The driver's name for a message.
    pub(crate) fn driver_or_unknown(&self, address: PciAddress) -> String {
        self.driver(address).unwrap_or_else(|| "unknown".to_owned())
    }

    /// The interface of the device, if it is in the namespace that this sysfs shows.
    pub(crate) fn interface_of(&self, address: PciAddress) -> Option<KernelText> {
        self.port(address, None)
    }

    /// The interface that is a device's own port: that called so, should it have several; the first of them otherwise. A card that
    /// is a switch shows beside it an interface for each VF, a representor, which is none.
    fn port(&self, address: PciAddress, called: Option<&KernelText>) -> Option<KernelText> {
        let mut names = self.interfaces_of(address);
        if names.len() > 1 {
            names.retain(|name| !self.is_representor(name));
            names.sort_by_cached_key(|name| {
                let port = number(&self.class(name).join("dev_port")).unwrap_or(0);
                (called != Some(name), port)
            });
        }
        names.into_iter().next()
    }

    /// Whether an interface stands for a function behind the card's switch. Its port is then called `pf0vf1`, `pf0`, `pf0sf2`, with
    /// the number of a controller before it or without (`c1pf0vf1`); a port of the card is `p0`.
    fn is_representor(&self, name: &KernelText) -> bool {
        let port = fs::read_to_string(self.class(name).join("phys_port_name")).unwrap_or_default();
        let of_controller = port
            .strip_prefix('c')
            .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        of_controller.unwrap_or(&port).starts_with("pf")
    }

    /// The VF of this number.
    pub(crate) fn vf(&self, pf: PciAddress, index: u32) -> Option<PciAddress> {
        address_behind(&self.device(pf).join(format!("virtfn{index}")))
    }

    /// The names of a device's interfaces, in order.
    pub(crate) fn interfaces_of(&self, address: PciAddress) -> Vec<KernelText> {
        let Ok(entries) = fs::read_dir(self.net(address)) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.flatten().map(|entry| KernelText::new(entry.file_name().into_vec())).collect();
        names.sort();
        names
    }

    /// A VF by its address alone; `None` where it or its physical function is not there.
    pub(crate) fn candidate(&self, vf: PciAddress) -> Option<Candidate> {
        let pf = address_behind(&self.device(vf).join("physfn"))?;
        self.physical_function(pf, None).ok()?.vfs.into_iter().find(|found| found.address == vf)
    }

    /// The interface number of a VF's physical function. Its name is preferred where the function has several
    /// interfaces, its address decides: the name may have changed.
    pub(crate) fn pf_index(&self, vf: &Candidate) -> Result<u32, KernelError> {
        let name = self.port(vf.pf_address, Some(&vf.pf_name));
        let index = name.and_then(|name| self.index_of(vf.pf_address, &name));
        index.ok_or_else(|| {
            KernelError::absent(
                format!("physical function {} ({})", vf.pf_name, vf.pf_address),
                "it has no interface on this host",
            )
        })
    }

    /// The number of the device's interface, if it is in the namespace that this sysfs shows.
    pub(crate) fn interface_index(&self, address: PciAddress) -> Option<u32> {
        self.index_of(address, &self.port(address, None)?)
    }

    /// The number of the interface of this name of a device; `None` when another's has that name by now. Below the device no other
    /// can be; by its name alone it must still be the device's afterwards.
    fn index_of(&self, device: PciAddress, name: &KernelText) -> Option<u32> {
        let below = self.net(device).join(component(name)).join("ifindex");
        let by_class = || {
            let by_name = number(&self.class(name).join("ifindex")).ok()?;
            (self.address_of(name) == Some(device)).then_some(by_name)
        };
        // Where sysfs shows the name and no number, netlink tells whose it is.
        let by_name = || {
            let shown = !self.class(name).exists() && self.interfaces_of(device).contains(name);
            shown.then(|| if_nametoindex(component(name)).ok())?
        };
        number(&below).ok().or_else(by_class).or_else(by_name)
    }

    /// What is told of the interface of this name; of none, where the name could lead to another place.
    pub(crate) fn class(&self, name: &KernelText) -> PathBuf {
        self.root.join("class/net").join(component(name))
    }

    /// The file in which a physical function has the number of its VFs.
    pub(crate) fn num_vfs(&self, pf: PciAddress) -> PathBuf {
        self.device(pf).join("sriov_numvfs")
    }

    /// Where a driver of PCI functions takes and lets go of them.
    pub(crate) fn driver_directory(&self, driver: &str) -> PathBuf {
        self.root.join("bus/pci/drivers").join(driver)
    }

    /// Where the device is told of.
    pub(crate) fn device(&self, address: PciAddress) -> PathBuf {
        self.root.join("bus/pci/devices").join(address.to_string())
    }
}

fn component(name: &KernelText) -> &OsStr {
    OsStr::from_bytes(name.as_component().unwrap_or(b"-"))
}

/// The PCI address of the device that a link leads to: for a virtio device, that of the function which it is.
pub(crate) fn address_behind(link: &Path) -> Option<PciAddress> {
    let target = fs::read_link(link).ok()?;
    let name = target.file_name()?;
    if is_virtio(name) {
        return fs::canonicalize(link).ok()?.parent()?.file_name()?.to_str()?.parse().ok();
    }
    name.to_str()?.parse().ok()
}

/// Whether this is how virtio's bus calls a device: `virtio2`.
pub(super) fn is_virtio(name: &OsStr) -> bool {
    let number = name.as_bytes().strip_prefix(b"virtio");
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// The number that a file holds.
pub(crate) fn number(path: &Path) -> Result<u32, KernelError> {
    let object = path.display().to_string();
    let text = fs::read_to_string(path).map_err(KernelError::io("read", object.clone()))?;
    text.trim().parse().map_err(|_| KernelError::absent(object, "it is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = "0000:01:00.0";

    /// A sysfs in which one device has interfaces: name, `phys_port_name`, `dev_port`.
    fn with(interfaces: &[(&str, &str, &str)]) -> (tempfile::TempDir, Sysfs) {
        let directory = tempfile::tempdir().unwrap();
        let sysfs = Sysfs { root: directory.path().to_owned() };
        let device = sysfs.device(CARD.parse().unwrap());
        fs::create_dir_all(device.join("net")).unwrap();
        fs::create_dir_all(sysfs.root.join("class/net")).unwrap();
        for (index, (name, port, dev_port)) in interfaces.iter().enumerate() {
            let own = device.join("net").join(name);
            fs::create_dir(&own).unwrap();
            for (file, text) in
                [("phys_port_name", *port), ("dev_port", dev_port), ("ifindex", &index.to_string())]
            {
                fs::write(own.join(file), text).unwrap();
            }
            std::os::unix::fs::symlink(&own, sysfs.root.join("class/net").join(name)).unwrap();
        }
        (directory, sysfs)
    }

    fn port(interfaces: &[(&str, &str, &str)], called: Option<&str>) -> Option<String> {
        let (_directory, sysfs) = with(interfaces);
        let called = called.map(KernelText::new);
        Some(sysfs.port(CARD.parse().unwrap(), called.as_ref())?.to_string())
    }

    #[test]
    fn a_representor_is_no_port_of_the_card() {
        for representor in ["pf0vf0", "pf0", "pf1sf3", "c1pf0vf2"] {
            let both = [("a0", representor, "0"), ("p0", "p0", "0")];
            assert_eq!(port(&both, None).as_deref(), Some("p0"), "{representor}");
            assert_eq!(port(&both, Some("a0")).as_deref(), Some("p0"), "{representor}");
        }
    }

    #[test]
    fn of_two_ports_the_one_that_is_named() {
        let both = [("ens1", "", "1"), ("ens2", "", "0")];
        assert_eq!(port(&both, None).as_deref(), Some("ens2"));
        assert_eq!(port(&both, Some("ens1")).as_deref(), Some("ens1"));
        assert_eq!(port(&[], Some("ens1")), None);
    }

    #[test]
    fn a_number_is_that_of_the_device_itself() {
        let (_directory, sysfs) = with(&[("mine", "", "0"), ("other", "", "1")]);
        let (mine, other) = (KernelText::new("mine"), KernelText::new("other"));
        let net = sysfs.device(CARD.parse().unwrap()).join("net");
        assert_eq!(sysfs.index_of(CARD.parse().unwrap(), &other), Some(1));
        fs::rename(net.join("other"), sysfs.root.join("other")).unwrap();
        assert_eq!(sysfs.index_of(CARD.parse().unwrap(), &other), None);
        assert_eq!(sysfs.index_of(CARD.parse().unwrap(), &mine), Some(0));
    }
}
