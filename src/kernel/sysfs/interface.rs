//! What sysfs tells of interfaces beside their devices: what stands on them and what they stand on, their hardware addresses.

use std::{
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use super::function::{Sysfs, address_behind, number};
use crate::{
    kernel::KernelError,
    types::{KernelText, MacAddress, PciAddress},
};

impl Sysfs {
    /// The interfaces of the host that belong to a PCI function, each with that.
    pub(crate) fn all_with_device(&self) -> Result<Vec<(KernelText, PciAddress)>, KernelError> {
        let path = self.root.join("class/net");
        let entries =
            fs::read_dir(&path).map_err(KernelError::io("list", path.display().to_string()))?;
        let names = entries.flatten().map(|entry| KernelText::new(entry.file_name().into_vec()));
        let mut found: Vec<_> =
            names.filter_map(|name| Some((name.clone(), self.address_of(&name)?))).collect();
        found.sort();
        Ok(found)
    }

    /// The physical function of a VF that is here.
    pub(crate) fn card_above(&self, vf: PciAddress) -> Option<PciAddress> {
        address_behind(&self.device(vf).join("physfn"))
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
        let vfs = (0..).map_while(|index| self.vf(pf, index));
        let functions = [pf].into_iter().chain(vfs);
        let macs = functions.flat_map(|function| {
            let names = self.interfaces_of(function).into_iter();
            names.filter_map(move |name| Some((function, self.mac_of(&name)?)))
        });
        macs.collect()
    }

    fn mac_of(&self, name: &KernelText) -> Option<MacAddress> {
        fs::read_to_string(self.class(name).join("address")).ok()?.trim().parse().ok()
    }

    /// The names of the interfaces of the same namespace that stand on one, or that it is a port of; `None` where this sysfs does
    /// not show interfaces whole.
    pub(crate) fn uppers(&self, name: &KernelText) -> Option<Vec<KernelText>> {
        let directory = self.class(name);
        directory.join("iflink").exists().then_some(())?;
        let entries = fs::read_dir(directory).ok()?.flatten();
        let upper = entries.filter_map(|entry| {
            let name = entry.file_name().into_vec();
            name.strip_prefix(b"upper_").map(KernelText::new)
        });
        Some(upper.collect())
    }

    /// The name of the interface that one is a port of.
    pub(crate) fn master(&self, name: &KernelText) -> Option<KernelText> {
        let master = fs::read_link(self.class(name).join("master")).ok()?;
        Some(KernelText::new(master.file_name()?.as_bytes()))
    }

    /// The MTU of an interface, where it can be told.
    pub(crate) fn mtu(&self, name: &KernelText) -> Option<u32> {
        number(&self.class(name).join("mtu")).ok()
    }
}
