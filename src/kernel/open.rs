//! What one operation on the real machine has open, and what it learnt on the way. Asks nothing by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::kernel::{
    KernelError,
    netlink::socket::{Message, Netlink},
    netns::Sandbox,
    sysfs::Sysfs,
};
use crate::{
    plan::step::Place,
    types::{InterfaceName, MacAddress, PciAddress, VfAttributes},
};

/// The kernel that vfhook runs on, seen from the namespace that it runs in.
pub struct LinuxKernel {
    pub(super) host: Netlink,
    pub(super) sandbox: Option<Sandbox>,
    pub(super) sysfs: Sysfs,
    /// Physical functions whose drivers have not come back from a change of their VFs.
    pub(super) stuck: BTreeSet<PciAddress>,
    /// Numbers of links that were made or used, so that each is asked for once.
    pub(super) indexes: BTreeMap<(Place, InterfaceName), u32>,
    /// What each card was seen to enforce for its VFs, by its interface's number: a driver is asked once a look.
    pub(super) cards: BTreeMap<u32, BTreeMap<u32, VfAttributes>>,
    /// What was read of the host for looks at many leases.
    pub(super) ahead: Option<Ahead>,
    /// Messages of sockets that are closed already.
    pub(super) other_messages: u64,
}

impl LinuxKernel {
    /// Opens the socket that everything goes through.
    pub fn open() -> Result<Self, KernelError> {
        let host = Netlink::route().map_err(KernelError::refused("open", "a netlink socket"))?;
        Ok(Self {
            host,
            sandbox: None,
            sysfs: Sysfs::default(),
            stuck: BTreeSet::new(),
            indexes: BTreeMap::new(),
            cards: BTreeMap::new(),
            ahead: None,
            other_messages: 0,
        })
    }

    /// The socket in `place`.
    pub(super) fn netlink(&mut self, place: Place) -> Result<&mut Netlink, KernelError> {
        match place {
            Place::Host => Ok(&mut self.host),
            Place::Sandbox => {
                Ok(&mut self.sandbox.as_mut().ok_or(KernelError::SandboxGone)?.netlink)
            }
        }
    }

    pub(super) fn sandbox(&self) -> Result<&Sandbox, KernelError> {
        self.sandbox.as_ref().ok_or(KernelError::SandboxGone)
    }

    pub(super) fn enter(&mut self, sandbox: Sandbox) {
        self.leave();
        self.sandbox = Some(sandbox);
    }

    pub(super) fn leave(&mut self) {
        self.other_messages += self.sandbox.take().map_or(0, |old| old.netlink.sent());
        self.indexes.retain(|(place, _), _| *place == Place::Host);
    }
}

/// What the host has of all leases, by the number of the interface.
pub(super) struct Ahead {
    pub(super) routes: BTreeMap<u32, Vec<Message>>,
    pub(super) neighbours: BTreeMap<u32, Vec<(u32, IpAddr, MacAddress)>>,
}
