//! A network interface as the kernel shows it.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Setting, Settings};
use crate::types::{KernelText, MacAddress, PciAddress};

/// The attributes of an interface that vfhook must know or put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name.
    pub name: KernelText,
    /// Its alternative names.
    #[serde(default)]
    pub altnames: BTreeSet<KernelText>,
    /// Its current hardware address, where it has an Ethernet one.
    pub mac: Option<MacAddress>,
    /// The address that its driver calls permanent.
    #[serde(default)]
    pub permanent_mac: Option<MacAddress>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether user space asked for promiscuous mode.
    pub promiscuous: bool,
    /// Whether user space asked for all multicast.
    pub all_multicast: bool,
    /// Length of the transmit queue.
    pub tx_queue_len: u32,
    /// Its ifalias.
    pub alias: Option<KernelText>,
    /// The interface that it is enslaved to.
    pub master: Option<u32>,
    /// The link that it stands on, or is the other end of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Below>,
    /// What else goes along when it moves; `None` where an earlier version did not look.
    #[serde(default)]
    pub settings: Option<Box<Settings>>,
    /// The PCI function behind it.
    pub parent: Option<PciAddress>,
    /// Addresses that are not the kernel's own; only looked up where they matter.
    #[serde(default)]
    pub addresses: Vec<IpNet>,
}

impl Link {
    /// The group that it is in; `None` where nobody looked.
    pub fn group(&self) -> Option<u32> {
        self.settings.as_ref()?.numbers.get(&Setting::Group).copied()
    }
}

/// The link that another one stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Below {
    /// Its number in its own namespace.
    pub index: u32,
    /// Its namespace, by the number that this has in the namespace of whoever asks; `None` where it is that of the link.
    pub namespace: Option<i32>,
}
