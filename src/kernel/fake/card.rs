//! Physical functions, their virtual functions, and how their drivers behave.

use std::collections::{BTreeMap, BTreeSet};

use nix::errno::Errno;

use crate::{
    inventory::Link,
    types::{AdminMac, MacAddress, PciAddress, VfAttribute, VfAttributes},
};

/// A physical function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// How many VFs it can make.
    pub total_vfs: u32,
    /// How many it has made.
    pub num_vfs: u32,
    /// All that it could make, in order of their index.
    pub vfs: Vec<Vf>,
    /// How its driver, and that of its VFs, behaves.
    pub driver: Driver,
}

/// A virtual function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vf {
    /// Its address.
    pub address: PciAddress,
    /// The bound driver; `None` when there is none.
    pub driver: Option<String>,
    /// The only driver that it may be bound to.
    pub driver_override: Option<String>,
    /// What the card enforces for it.
    pub attributes: VfAttributes,
    /// What the card enforces for it when it is made.
    pub(super) fresh_attributes: VfAttributes,
    /// Its interface when it is made; `None` for a driver that makes none.
    pub(super) fresh_link: Option<Link>,
    /// PCI vendor and device id.
    pub ids: (u16, u16),
    /// Its NUMA node.
    pub numa_node: i32,
}

/// How drivers behave beyond the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// Its name.
    pub name: String,
    /// Attributes that it does not take, not even to keep their value.
    pub refuses: BTreeMap<VfAttribute, Errno>,
    /// Attributes that it takes without doing anything.
    pub ignores: BTreeSet<VfAttribute>,
    /// Whether the VF's driver uses the MAC of the card only after it went up (igbvf), or what it is told at once.
    pub learns_mac_when_up: bool,
    /// The highest MTU of a VF.
    pub highest_mtu: u32,
}

impl Default for Driver {
    fn default() -> Self {
        Self {
            name: "igb".to_owned(),
            refuses: BTreeMap::new(),
            ignores: BTreeSet::new(),
            learns_mac_when_up: true,
            highest_mtu: 9216,
        }
    }
}

impl Vf {
    /// A number that no other VF has: it is the group's.
    pub(super) fn number(&self) -> u32 {
        u32::try_from(self.address.number()).unwrap_or(u32::MAX)
    }
}

impl Card {
    /// The VF at this address, if it exists.
    pub(super) fn vf(&self, address: PciAddress) -> Option<&Vf> {
        self.made().find(|vf| vf.address == address)
    }

    pub(super) fn vf_mut(&mut self, address: PciAddress) -> Option<&mut Vf> {
        let made = usize::try_from(self.num_vfs).unwrap_or(usize::MAX);
        self.vfs.iter_mut().take(made).find(|vf| vf.address == address)
    }

    /// The VFs that exist.
    pub(super) fn made(&self) -> impl Iterator<Item = &Vf> {
        self.vfs.iter().take(usize::try_from(self.num_vfs).unwrap_or(usize::MAX))
    }

    /// Sets attributes of a VF as the kernel's `do_setvfinfo` does: one after the other, stopping at a refusal.
    pub(super) fn set(&mut self, vf: PciAddress, asked: &VfAttributes) -> Result<(), Errno> {
        let driver = self.driver.clone();
        let found = self.vf_mut(vf).ok_or(Errno::EINVAL)?;
        for which in VfAttribute::ALL {
            let one = asked.only(which);
            if one.is_empty() {
                continue;
            }
            if let Some(errno) = driver.refuses.get(&which) {
                return Err(*errno);
            }
            if !driver.ignores.contains(&which) {
                let has = &mut found.attributes;
                has.mac = one.mac.or(has.mac);
                has.vlan = one.vlan.or(has.vlan);
                has.rate = one.rate.or(has.rate);
                has.spoof_check = one.spoof_check.or(has.spoof_check);
                has.link_state = one.link_state.or(has.link_state);
                has.trust = one.trust.or(has.trust);
            }
        }
        Ok(())
    }

    /// What a VF's interface calls itself after it went up with `current`: what the card assigned, if it did.
    pub(super) fn mac_after_up(&self, vf: PciAddress, current: Option<MacAddress>) -> Learned {
        if !self.driver.learns_mac_when_up {
            return Learned::Nothing;
        }
        match self.vf(vf).and_then(|vf| vf.attributes.mac) {
            Some(AdminMac::Assigned(mac)) => Learned::Mac(Some(mac)),
            _ => Learned::Mac(current),
        }
    }

    /// Whether a VF's interface may be given `mac`. A MAC that the card assigned is not to be changed by a VF that it
    /// does not trust, and is known to the VF only once it was up.
    pub(super) fn accepts_mac(&self, vf: PciAddress, interface: &Link, mac: MacAddress) -> bool {
        let Some(vf) = self.vf(vf).filter(|_| self.driver.learns_mac_when_up) else { return true };
        let assigned = matches!(vf.attributes.mac, Some(AdminMac::Assigned(_)));
        !assigned || vf.attributes.trust == Some(true) || interface.permanent_mac == Some(mac)
    }
}

/// What a driver does to the addresses of an interface that went up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learned {
    /// Nothing.
    Nothing,
    /// Current and permanent address are this.
    Mac(Option<MacAddress>),
}
