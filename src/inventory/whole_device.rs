//! A device of the host that may be given away whole, as observed, and what stands against it. Looks nothing up.

use super::{Kept, Link, Sysctls, Unusable, Use};
use crate::types::{KernelText, OwnerTag, PciAddress};

/// A device that a pool's selector matches, before anything else was asked of it. Known from sysfs alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDevice {
    /// The device: for a virtio card, the PCI function that it is.
    pub address: PciAddress,
    /// The name of its interface when looked at; a label, not an identity.
    pub name: KernelText,
}

/// The same at the moment before it is given away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeDevice {
    /// Which one.
    pub address: PciAddress,
    /// Its interface in the host's namespace, with the addresses that somebody gave it.
    pub link: Link,
    /// The sysctls of that interface.
    pub sysctls: Sysctls,
    /// Which of its features were asked for (`ethtool -k`), 32 a word; empty where that is not known.
    pub features: Vec<u32>,
    /// Its driver.
    pub driver: String,
    /// What the host has on it.
    pub kept: Kept,
    /// What the host uses it for that cannot go with it and come back.
    pub uses: Vec<Use>,
}

impl WholeDevice {
    /// Why it cannot be given away; `None` when it can. Addresses and routes stand not against it: they are kept.
    pub fn unusable(&self) -> Option<Unusable> {
        if self.link.alias.as_ref().and_then(OwnerTag::parse).is_some() {
            return Some(Unusable::Tagged(Box::new(self.link.clone())));
        }
        let (name, uses) = (self.link.name.to_string(), self.uses.clone());
        (!uses.is_empty()).then_some(Unusable::InUse { name, uses })
    }
}
