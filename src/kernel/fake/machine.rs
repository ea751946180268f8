//! The whole state of a machine, and what the world around vfhook does to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
};

use ipnet::IpNet;
use nix::errno::Errno;

use super::{Card, FakeLink, LinkKind, Namespace, Translations};
use crate::types::{KernelText, MacAddress, NetnsSource, PciAddress};

/// A machine.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// The namespace that vfhook runs in.
    pub host: Namespace,
    /// The others, by cookie.
    pub(super) sandboxes: BTreeMap<u64, Sandbox>,
    /// Physical functions by address.
    pub cards: BTreeMap<PciAddress, Card>,
    /// Devices that may be given whole.
    pub(super) whole: BTreeSet<PciAddress>,
    /// The sources of each chain of our nft table; empty without a table.
    pub masquerade: BTreeSet<BTreeSet<IpNet>>,
    /// What makes services backends at the socket, by where it is installed.
    pub translation: Translations,
    /// Who else has addresses on any wire.
    pub neighbours: BTreeMap<IpAddr, MacAddress>,
    /// How often one must look before a device is back from a namespace that died.
    pub return_delay: u32,
    /// Addresses that interfaces of the host were lent, by their number.
    pub lent: BTreeMap<u32, Vec<IpNet>>,
    /// Whether vfio-pci is not loaded.
    pub lacks_vfio: bool,
    /// VFs that a program has open by vfio-pci.
    pub opened: BTreeSet<PciAddress>,
    /// RDMA devices, each by the function or the interface of the host that it is behind.
    pub rdma: BTreeMap<String, KernelText>,
    /// Whether the kernel was started without IPv6.
    pub lacks_ipv6: bool,
    pub(super) returning: Vec<Returning>,
    pub(super) sources: Vec<(NetnsSource, u64)>,
    last_cookie: u64,
}

/// A namespace that is not the host's.
#[derive(Debug, Clone, Default)]
pub(super) struct Sandbox {
    pub(super) netns: Namespace,
    /// How many hold it open besides those who live in it.
    pub(super) holders: usize,
    /// Whether those who lived in it are gone.
    pub(super) ended: bool,
}

/// A device on its way back to the host, brought by a kernel worker that has not come to it yet.
#[derive(Debug, Clone)]
pub(super) struct Returning {
    pub(super) link: FakeLink,
    pub(super) looks_left: u32,
}

impl Machine {
    /// Makes a namespace that can be opened at `path`, with nothing in it, and tells its cookie.
    pub fn add_sandbox(&mut self, path: impl Into<PathBuf>) -> u64 {
        // The host's own namespace has cookie 1.
        self.last_cookie = self.last_cookie.max(1) + 1;
        self.sandboxes.insert(self.last_cookie, Sandbox::default());
        self.sources.push((NetnsSource::Path(path.into()), self.last_cookie));
        self.last_cookie
    }

    /// The namespace with this cookie, as long as it exists.
    pub fn sandbox(&mut self, cookie: u64) -> Option<&mut Namespace> {
        self.sandboxes.get_mut(&cookie).map(|sandbox| &mut sandbox.netns)
    }

    /// The numbers of all namespaces that live.
    pub(super) fn cookies(&self) -> Vec<u64> {
        self.sandboxes.keys().copied().collect()
    }

    /// Every namespace, the host's first.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        [&self.host].into_iter().chain(self.sandboxes.values().map(|sandbox| &sandbox.netns))
    }

    fn namespaces_mut(&mut self) -> impl Iterator<Item = &mut Namespace> {
        let others = self.sandboxes.values_mut().map(|sandbox| &mut sandbox.netns);
        [&mut self.host].into_iter().chain(others)
    }

    /// The card that a VF belongs to.
    pub(super) fn card_of(&self, vf: PciAddress) -> Option<&Card> {
        self.cards.values().find(|card| card.vf(vf).is_some())
    }

    /// Makes a physical function have this many VFs, as writing `sriov_numvfs` does.
    pub fn set_num_vfs(&mut self, pf: PciAddress, count: u32) -> Result<(), Errno> {
        let card = self.cards.get_mut(&pf).ok_or(Errno::ENODEV)?;
        if count > card.total_vfs {
            return Err(Errno::ERANGE);
        }
        if card.num_vfs != 0 && count != 0 && card.num_vfs != count {
            return Err(Errno::EBUSY);
        }
        let before: BTreeSet<PciAddress> = card.made().map(|vf| vf.address).collect();
        card.num_vfs = count;
        let after: BTreeSet<PciAddress> = card.made().map(|vf| vf.address).collect();
        let mut links = Vec::new();
        for vf in card.vfs.iter_mut().filter(|vf| !before.contains(&vf.address)) {
            if after.contains(&vf.address) {
                vf.attributes = vf.fresh_attributes;
                links.extend(vf.fresh_link.clone());
            }
        }
        for gone in before.difference(&after) {
            self.remove_device(*gone);
        }
        for facts in links {
            self.host.insert(FakeLink::new(facts, LinkKind::Physical), None);
        }
        Ok(())
    }

    /// The interface of a device vanishes, wherever it is.
    fn remove_device(&mut self, device: PciAddress) {
        let stays = |link: &FakeLink| link.facts.parent != Some(device);
        for namespace in self.namespaces_mut() {
            namespace.links.retain(|_, link| stays(link));
        }
        self.returning.retain(|returning| stays(&returning.link));
    }

    /// Whether a driver is bound to a VF.
    pub(super) fn is_driven(&self, vf: PciAddress) -> bool {
        self.card_of(vf).and_then(|card| card.vf(vf)).is_some_and(|vf| vf.driver.is_some())
    }

    /// A VF's driver lets go of it; all that stands on its interface goes with that.
    pub fn unbind(&mut self, vf: PciAddress) {
        self.remove_device(vf);
        self.forget_uppers_of(vf);
        for card in self.cards.values_mut() {
            if let Some(vf) = card.vf_mut(vf) {
                vf.driver = None;
            }
        }
    }

    /// A VF's driver lets go of it and takes it again, or `driver` does where none has it.
    pub(super) fn reset_device(&mut self, address: PciAddress, driver: &str) {
        let bound = self.card_of(address).and_then(|card| card.vf(address)?.driver.clone());
        self.unbind(address);
        let mut fresh = None;
        for card in self.cards.values_mut() {
            if let Some(vf) = card.vf_mut(address) {
                vf.driver = Some(bound.clone().unwrap_or_else(|| driver.to_owned()));
                fresh.clone_from(&vf.fresh_link);
            }
        }
        if let Some(facts) = fresh {
            self.host.insert(FakeLink::new(facts, LinkKind::Physical), None);
        }
    }

    /// A container gives the interface of its device another MAC, as far as driver and card let it.
    pub fn sandbox_sets_mac(
        &mut self,
        cookie: u64,
        name: &str,
        mac: MacAddress,
    ) -> Result<(), Errno> {
        let link = self.sandbox(cookie).and_then(|namespace| namespace.link(name)).cloned();
        let facts = link.ok_or(Errno::ENODEV)?.facts;
        let (accepted, learns) = facts.parent.map_or((true, false), |device| {
            self.card_of(device).map_or((true, false), |card| {
                (card.accepts_mac(device, &facts, mac), card.driver.learns_mac_when_up)
            })
        });
        if !accepted {
            return Err(Errno::EADDRNOTAVAIL);
        }
        if let Some(link) = self.sandbox(cookie).and_then(|namespace| namespace.link_mut(name)) {
            link.facts.mac = Some(mac);
            link.facts.permanent_mac = if learns { Some(mac) } else { facts.permanent_mac };
        }
        Ok(())
    }

    /// What stands on a device is deleted, wherever it is.
    pub(super) fn forget_uppers_of(&mut self, device: PciAddress) {
        for namespace in self.namespaces_mut() {
            namespace.links.retain(|_, link| link.kind != LinkKind::Tenants(device));
        }
    }

    /// A link that is no device's is deleted; the other end of a veth pair goes with it.
    pub(super) fn forget_pair_of(&mut self, removed: &FakeLink) {
        if let LinkKind::Veth(pair) = &removed.kind {
            for namespace in self.namespaces_mut() {
                namespace.links.retain(|_, link| link.kind != LinkKind::Veth(pair.clone()));
            }
        }
    }
}
