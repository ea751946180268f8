//! What was chosen for a sandbox, and all else that its plan is made from. Decides nothing.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use crate::{
    inventory::{Device, Ipv6, Link, SandboxFacts, WholeDevice},
    request::NetworkIntent,
    types::{InterfaceName, KernelText, Reach, SandboxId, Segment, TranslationPlace, Upper},
};

/// All that the plan is made from.
#[derive(Debug)]
pub struct AttachInput<'a> {
    /// Whose sandbox.
    pub id: &'a SandboxId,
    /// A number that no other lease has; names and hardware addresses of our links are made from it.
    pub serial: u64,
    /// What is in the sandbox already.
    pub sandbox: &'a SandboxFacts,
    /// The networks with what was chosen for them.
    pub networks: Vec<ChosenNetwork>,
    /// The service path with what was chosen for it.
    pub service: Option<ChosenService>,
    /// How services become backends where it connects.
    pub view: Option<ChosenView>,
    /// The host's own addresses; looked up only for networks with `host_access`.
    pub host_addresses: Vec<IpAddr>,
    /// What IPv6 is like on the host.
    pub host_ipv6: Ipv6,
    /// Whether the sandbox's runtime puts networks of its own into it afterwards.
    pub more_to_come: bool,
}

/// A network with a device and addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenNetwork {
    /// What was wanted.
    pub intent: NetworkIntent,
    /// The device that serves it.
    pub device: ChosenDevice,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
    /// The wires that the network is on.
    pub segments: Vec<Segment>,
    /// The RDMA device that its programs may use.
    pub rdma: Option<KernelText>,
}

impl ChosenNetwork {
    /// It, and the links that it is made of.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        let members = match &self.device {
            ChosenDevice::Bond(members) => members.as_slice(),
            _ => &[],
        };
        std::iter::once(self).chain(members)
    }
}

/// Where a network's interface comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChosenDevice {
    /// A virtual function.
    Vf(Box<Device>),
    /// A virtual function that a program is to drive, and the driver that it is bound to alone, if to one.
    Vfio(Box<Device>, Option<String>),
    /// A whole device of the host.
    Whole(Box<WholeDevice>),
    /// What is made on this parent.
    Made(Upper, Box<Link>),
    /// A bond of these, each chosen as the VF of a network is.
    Bond(Vec<ChosenNetwork>),
}

/// A view of services for a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenView {
    /// Where services are translated.
    pub place: TranslationPlace,
    /// Its namespace.
    pub cookie: u64,
    /// What it reaches by its own devices.
    pub reach: Reach,
}

/// A service path with addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChosenService {
    /// Over a veth pair.
    Veth {
        /// The sandbox's end.
        interface: InterfaceName,
        /// The networks reached over it.
        cidrs: Vec<IpNet>,
        /// Addresses of the sandbox's end.
        sources: Vec<IpAddr>,
        /// All networks that sources of this node come from, for the one masquerade table.
        masqueraded: BTreeSet<IpNet>,
        /// The MTU of the pair; `None` leaves it to the kernel.
        mtu: Option<u32>,
    },
    /// Through what is there.
    Existing {
        /// The interface.
        interface: InterfaceName,
        /// The networks reached through it.
        cidrs: Vec<IpNet>,
    },
}
