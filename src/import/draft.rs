//! Pools and networks as one file has them, before files are brought together. Reads nothing, writes nothing.

use std::net::IpAddr;

use super::{Place, Remark};
use crate::types::{AddressRange, DeviceName, IndexRange, InterfaceName, PciAddress, VfAttributes};

/// A device plugin's name for devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    /// What is before the slash, where the file says it.
    pub(super) prefix: Option<String>,
    /// What is behind it.
    pub(super) name: String,
}

impl Resource {
    /// `PREFIX/NAME` or `NAME`.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        let (prefix, name) =
            text.rsplit_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
        Self { prefix: prefix.map(str::to_owned), name: name.to_owned() }
    }

    /// Whether the two may be the same, as far as both say who they are.
    pub(super) fn fits(&self, other: &Self) -> bool {
        let prefixes = self.prefix.as_ref().zip(other.prefix.as_ref());
        self.name == other.name && prefixes.is_none_or(|(one, other)| one == other)
    }

    /// As a pod asks for it, as far as it is known.
    pub(super) fn shown(&self) -> String {
        let prefix = self.prefix.as_ref().map_or_else(String::new, |prefix| format!("{prefix}/"));
        format!("{prefix}{}", self.name)
    }
}

/// How devices of a pool come into a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sriov,
    Macvlan,
}

/// Which devices: what is given must all match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) pf: Vec<DeviceName>,
    pub(super) vf: Vec<IndexRange>,
    pub(super) pci: Vec<PciAddress>,
    pub(super) vendor: Vec<u16>,
    pub(super) device: Vec<u16>,
    pub(super) driver: Vec<String>,
}

/// Devices of one name.
#[derive(Debug, Clone)]
pub(super) struct PoolDraft {
    pub(super) place: Place,
    /// As the file spells it.
    pub(super) name: String,
    /// What networks and pods call it.
    pub(super) resource: Option<Resource>,
    pub(super) kind: Kind,
    /// Alternatives; there is at least one.
    pub(super) selectors: Vec<Selector>,
    pub(super) num_vfs: Option<u32>,
    /// Whether Kubernetes' scheduler counted them.
    pub(super) counted: bool,
    /// The MTU that its networks have.
    pub(super) mtu: Option<u32>,
    pub(super) remarks: Vec<Remark>,
}

impl PoolDraft {
    /// A pool that only the network of its file uses.
    pub(super) fn own(place: &Place, kind: Kind, selector: Selector) -> Self {
        let word = match kind {
            Kind::Sriov => "sriov",
            Kind::Macvlan => "macvlan",
        };
        let first = selector.pci.first().map(ToString::to_string);
        let first = first.or_else(|| selector.pf.first().map(ToString::to_string));
        let vf = selector.vf.first().map_or_else(String::new, |vf| format!("-vf{vf}"));
        Self {
            place: place.clone(),
            name: format!("{word}-{}{vf}", first.unwrap_or_default()),
            resource: None,
            kind,
            selectors: vec![selector],
            num_vfs: None,
            counted: false,
            mtu: None,
            remarks: Vec::new(),
        }
    }

    /// Whether another says the same, wherever it stands.
    pub(super) fn same(&self, other: &Self) -> bool {
        let resources = match (&self.resource, &other.resource) {
            (Some(one), Some(other)) => one.fits(other),
            (None, None) => true,
            _ => false,
        };
        resources
            && (self.kind, &self.selectors, self.num_vfs, self.counted, self.mtu)
                == (other.kind, &other.selectors, other.num_vfs, other.counted, other.mtu)
    }
}

/// Where a network's device comes from.
#[derive(Debug, Clone)]
pub(super) enum Device {
    /// Multus hands one over: the object's resource says which.
    Injected,
    /// A pool that another file has.
    Resource(Resource),
    /// The network's own file says it.
    Own(Box<PoolDraft>),
}

/// How a network's interfaces are addressed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Addressing {
    pub(super) addresses: Vec<AddressRange>,
    pub(super) gateway: Vec<IpAddr>,
    pub(super) default_route: bool,
    /// Whether a request chooses the address.
    pub(super) chosen: bool,
}

/// A network of one name.
#[derive(Debug, Clone)]
pub(super) struct NetworkDraft {
    pub(super) place: Place,
    /// As the file spells it.
    pub(super) name: String,
    pub(super) device: Device,
    pub(super) interface: Option<InterfaceName>,
    pub(super) mtu: Option<u32>,
    pub(super) attributes: VfAttributes,
    pub(super) addressing: Addressing,
    /// What CNI-Genie calls it: a part of its file's name.
    pub(super) word: Option<String>,
    /// Whether it is a CNI configuration of a node, for whoever names it.
    pub(super) of_file: bool,
    /// Kubernetes namespaces that may have it; `None` where the file knows of none.
    pub(super) namespaces: Option<Vec<String>>,
    pub(super) allow_addresses: bool,
    pub(super) allow_mac: bool,
    pub(super) remarks: Vec<Remark>,
}

impl NetworkDraft {
    /// A network of which nothing more is known.
    pub(super) fn new(place: &Place, name: &str, device: Device) -> Self {
        Self {
            place: place.clone(),
            name: name.to_owned(),
            device,
            interface: None,
            mtu: None,
            attributes: VfAttributes::default(),
            addressing: Addressing::default(),
            word: None,
            of_file: false,
            namespaces: None,
            allow_addresses: false,
            allow_mac: false,
            remarks: Vec::new(),
        }
    }

    /// Whether another is the same but for who may have it.
    pub(super) fn same(&self, other: &Self) -> bool {
        let devices = match (&self.device, &other.device) {
            (Device::Resource(one), Device::Resource(other)) => one == other,
            (Device::Own(one), Device::Own(other)) => one.same(other),
            (Device::Injected, Device::Injected) => true,
            _ => false,
        };
        devices
            && (&self.interface, self.mtu, &self.attributes, &self.addressing)
                == (&other.interface, other.mtu, &other.attributes, &other.addressing)
            && (self.allow_addresses, self.allow_mac) == (other.allow_addresses, other.allow_mac)
    }
}
