//! What sysfs tells of PCI functions, and the one thing that is written there.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use crate::kernel::KernelError;
use crate::{
    inventory::{Candidate, PhysicalFunction},
    types::{DeviceSelector, KernelText, MacAddress, PciAddress},
};

/// The mounted sysfs.
#[derive(Debug, Clone)]
pub(crate) struct Sysfs {
    root: PathBuf,
}

impl Default for Sysfs {
    fn default() -> Self {
        Self { root: PathBuf::from("/sys") }
    }
}

impl Sysfs {
    /// The physical functions that `selector` names; without names, all that have made VFs or could.
    pub(crate) fn physical_functions(
        &self,
        selector: &DeviceSelector,
    ) -> Result<Vec<PhysicalFunction>, KernelError> {
        if selector.pf.is_empty() {
            let path = self.root.join("class/net");
            let entries =
                fs::read_dir(&path).map_err(KernelError::io("list", path.display().to_string()))?;
            let mut names: Vec<_> = entries
                .flatten()
                .filter(|entry| entry.path().join("device/sriov_totalvfs").exists())
                .map(|entry| KernelText::new(entry.file_name().into_vec()))
                .collect();
            names.sort();
            return names.iter().map(|name| self.physical_function(name)).collect();
        }
        selector.pf.iter().map(|name| self.physical_function(&name.into())).collect()
    }

    fn physical_function(&self, name: &KernelText) -> Result<PhysicalFunction, KernelError> {
        let link = self.class(name);
        let absent =
            |reason: &str| KernelError::absent(format!("physical function {name}"), reason);
        if !link.exists() {
            return Err(absent("there is no such interface on this host"));
        }
        let device = link.join("device");
        let address = address_behind(&device).ok_or_else(|| absent("it is not a PCI device"))?;
        let total_vfs = number(&device.join("sriov_totalvfs"))
            .map_err(|_| absent("it has no SR-IOV capability"))?;
        let num_vfs = self.num_vfs(address)?;
        let vfs = (0..num_vfs).filter_map(|index| {
            let vf = address_behind(&device.join(format!("virtfn{index}")))?;
            Some(Candidate { address: vf, index, pf_address: address, pf_name: name.clone() })
        });
        Ok(PhysicalFunction { address, name: name.clone(), total_vfs, num_vfs, vfs: vfs.collect() })
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
        let driver =
            || self.driver(address).is_some_and(|driver| selector.driver.contains(&driver));
        let node = || {
            let text =
                fs::read_to_string(self.device(address).join("numa_node")).unwrap_or_default();
            text.trim().parse().is_ok_and(|node: i32| selector.numa_node.contains(&node))
        };
        among(&selector.vendor, "vendor")
            && among(&selector.device, "device")
            && (selector.driver.is_empty() || driver())
            && (selector.numa_node.is_empty() || node())
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

    /// The interface of the device, if it is in the namespace that this sysfs shows. The first by name, should it
    /// have several.
    pub(crate) fn interface_of(&self, address: PciAddress) -> Option<KernelText> {
        self.interfaces_of(address).into_iter().next()
    }

    /// The physical function behind an interface: its own, or that of its VF.
    pub(crate) fn function_behind(&self, name: &KernelText) -> Option<PciAddress> {
        let device = self.class(name).join("device");
        address_behind(&device.join("physfn")).or_else(|| address_behind(&device))
    }

    /// The interfaces that one is made of, with their numbers.
    pub(crate) fn lower_interfaces(&self, name: &KernelText) -> Vec<(KernelText, u32)> {
        let Ok(entries) = fs::read_dir(self.class(name)) else { return Vec::new() };
        let lower = entries.flatten().filter_map(|entry| {
            let found = entry.file_name();
            let name = found.as_bytes().strip_prefix(b"lower_")?.to_vec();
            Some((KernelText::new(name), number(&entry.path().join("ifindex")).ok()?))
        });
        lower.collect()
    }

    /// The MAC addresses of the interfaces of a physical function and of its VFs that are in the namespace that this sysfs shows.
    pub(crate) fn macs_of_card(&self, pf: PciAddress) -> Vec<(PciAddress, MacAddress)> {
        let vfs = self.num_vfs(pf).unwrap_or(0);
        let functions = [pf].into_iter().chain((0..vfs).filter_map(|index| self.vf(pf, index)));
        let macs = functions.flat_map(|function| {
            let names = self.interfaces_of(function).into_iter();
            names.filter_map(move |name| Some((function, self.mac_of(&name)?)))
        });
        macs.collect()
    }

    fn mac_of(&self, name: &KernelText) -> Option<MacAddress> {
        fs::read_to_string(self.class(name).join("address")).ok()?.trim().parse().ok()
    }

    /// The VF of this number.
    pub(crate) fn vf(&self, pf: PciAddress, index: u32) -> Option<PciAddress> {
        address_behind(&self.device(pf).join(format!("virtfn{index}")))
    }

    fn interfaces_of(&self, address: PciAddress) -> Vec<KernelText> {
        let Ok(entries) = fs::read_dir(self.device(address).join("net")) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.flatten().map(|entry| KernelText::new(entry.file_name().into_vec())).collect();
        names.sort();
        names
    }

    /// A VF by its address alone; `None` where it or the interface of its physical function is not there.
    pub(crate) fn candidate(&self, vf: PciAddress) -> Option<Candidate> {
        let pf = address_behind(&self.device(vf).join("physfn"))?;
        let name = self.interfaces_of(pf).into_iter().next()?;
        self.physical_function(&name).ok()?.vfs.into_iter().find(|found| found.address == vf)
    }

    /// The interface number of a VF's physical function. Its name is preferred where the function has several
    /// interfaces, its address decides: the name may have changed.
    pub(crate) fn pf_index(&self, vf: &Candidate) -> Result<u32, KernelError> {
        let names = self.interfaces_of(vf.pf_address);
        let name = names.iter().find(|name| **name == vf.pf_name).or(names.first());
        let name = name.ok_or_else(|| {
            KernelError::absent(
                format!("physical function {} ({})", vf.pf_name, vf.pf_address),
                "it has no interface on this host",
            )
        })?;
        self.index(name)
    }

    /// The number of the device's interface, if it is in the namespace that this sysfs shows.
    pub(crate) fn interface_index(&self, address: PciAddress) -> Option<u32> {
        self.index(&self.interface_of(address)?).ok()
    }

    fn index(&self, name: &KernelText) -> Result<u32, KernelError> {
        number(&self.class(name).join("ifindex"))
    }

    /// What is told of the interface of this name; of none, where it could be another place.
    fn class(&self, name: &KernelText) -> PathBuf {
        self.root.join("class/net").join(OsStr::from_bytes(name.as_component().unwrap_or(b"-")))
    }

    /// The MTU of an interface, where it can be told.
    pub(crate) fn mtu(&self, name: &KernelText) -> Option<u32> {
        number(&self.class(name).join("mtu")).ok()
    }

    /// How many VFs the physical function has made.
    pub(crate) fn num_vfs(&self, pf: PciAddress) -> Result<u32, KernelError> {
        number(&self.device(pf).join("sriov_numvfs"))
    }

    /// Asks the physical function for a number of VFs.
    pub(crate) fn set_num_vfs(
        &self,
        pf: PciAddress,
        name: &KernelText,
        count: u32,
    ) -> Result<(), KernelError> {
        let path = self.device(pf).join("sriov_numvfs");
        fs::write(&path, count.to_string())
            .map_err(KernelError::io("set the number of VFs of", format!("{name} to {count}")))
    }

    fn device(&self, address: PciAddress) -> PathBuf {
        self.root.join("bus/pci/devices").join(address.to_string())
    }
}

/// The PCI address of the device that a link leads to.
fn address_behind(link: &Path) -> Option<PciAddress> {
    fs::read_link(link).ok()?.file_name()?.to_str()?.parse().ok()
}

fn number(path: &Path) -> Result<u32, KernelError> {
    let object = path.display().to_string();
    let text = fs::read_to_string(path).map_err(KernelError::io("read", object.clone()))?;
    text.trim().parse().map_err(|_| KernelError::absent(object, "it is not a number"))
}
