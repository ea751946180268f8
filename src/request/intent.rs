//! What a sandbox is to have, resolved against the configuration: every name is known and every choice allowed.

use ipnet::IpNet;

use crate::{
    config::{Network, Pool},
    types::{AddressRange, InterfaceName, MacAddress, Name, PciAddress, TranslationPlace},
};

/// All that one sandbox is to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachmentIntent {
    /// Its networks, in the order in which they were asked for.
    pub networks: Vec<NetworkIntent>,
    /// Its service path.
    pub service: Option<ServiceIntent>,
    /// Where services become backends for it.
    pub inside: Option<TranslationPlace>,
    /// Whether its runtime puts networks of its own into it afterwards.
    pub more_to_come: bool,
}

/// One network for one sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkIntent {
    /// The network's name.
    pub name: Name,
    /// Its settings.
    pub network: Network,
    /// Where its device comes from.
    pub pool: Pool,
    /// The interface's name in the sandbox.
    pub interface: InterfaceName,
    /// Addresses that the request chose; empty lets vfhook choose.
    pub addresses: Vec<IpNet>,
    /// The MAC address that the request chose.
    pub mac: Option<MacAddress>,
    /// The device that it must be.
    pub device: Option<PciAddress>,
}

/// The service path of one sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceIntent {
    /// Over a veth pair of our own.
    Veth {
        /// The name of the sandbox's end.
        interface: InterfaceName,
        /// The networks reached over it.
        cidrs: Vec<IpNet>,
        /// Where the addresses of the sandbox's end come from.
        source: Vec<AddressRange>,
        /// The MTU of the pair; `None` leaves it to the kernel.
        mtu: Option<u32>,
    },
    /// Through an interface that is there already.
    Existing {
        /// Its name.
        interface: InterfaceName,
        /// The networks reached through it.
        cidrs: Vec<IpNet>,
    },
}

impl AttachmentIntent {
    /// The networks reached over the service path.
    pub fn service_cidrs(&self) -> &[IpNet] {
        match &self.service {
            Some(ServiceIntent::Veth { cidrs, .. } | ServiceIntent::Existing { cidrs, .. }) => {
                cidrs
            }
            None => &[],
        }
    }
}
