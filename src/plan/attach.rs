//! The plan that gives a sandbox what it is to have. Every choice was made before; this lays out the steps.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{Plan, network, service_path};
use crate::{
    inventory::{Device, Ipv6, Link, SandboxFacts, SeenRoute},
    request::NetworkIntent,
    types::{InterfaceName, MacAddress, Name, SandboxId, Segment},
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
    /// The host's own addresses; looked up only for networks with `host_access`.
    pub host_addresses: Vec<IpAddr>,
    /// What IPv6 is like on the host.
    pub host_ipv6: Ipv6,
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
}

/// Where a network's interface comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChosenDevice {
    /// A virtual function.
    Vf(Box<Device>),
    /// A macvlan on this parent.
    Macvlan(Box<Link>),
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
    },
    /// Through what is there.
    Existing {
        /// The interface.
        interface: InterfaceName,
        /// The networks reached through it.
        cidrs: Vec<IpNet>,
    },
}

/// Why there is no plan. Nothing has been touched.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachPlanError {
    /// The name is taken in the sandbox.
    #[error("interface {0} exists in the sandbox already; ask for another name with NETWORK@NAME")]
    NameTaken(InterfaceName),
    /// The card or the parent passes nothing that long.
    #[error(
        "network {network}: its mtu is {mtu}, above that of {device}, which is {limit}: run `ip link set {device} mtu {mtu}`, or \
         lower the network's mtu"
    )]
    MtuTooHigh {
        /// The network.
        network: Name,
        /// What it wants.
        mtu: u32,
        /// The physical function, or the parent of a macvlan.
        device: String,
        /// Its MTU.
        limit: u32,
    },
    /// IPv6 is wanted, and the kernel has none.
    #[error(
        "{0} has IPv6 addresses, and this kernel has no IPv6 (ipv6.disable=1): start it without that, or take them out of the \
         configuration"
    )]
    NoIpv6(String),
    /// `mode = "existing"`, and the interface is not there.
    #[error("service path: there is no interface {0} in the sandbox to route through")]
    NoInterface(InterfaceName),
    /// `mode = "existing"`, and the interface leads nowhere.
    #[error(
        "service path: the sandbox has no IPv{family} default route over {interface} whose gateway could serve {cidr} (one that \
         names a nexthop object is followed only where the sandbox's net.ipv4.nexthop_compat_mode is 1)"
    )]
    NoGateway {
        /// The interface to route through.
        interface: InterfaceName,
        /// 4 or 6.
        family: u8,
        /// The service network.
        cidr: IpNet,
    },
    /// A route of ours must win over this one and cannot.
    #[error(
        "the sandbox has the route {0}, and IPv6 has no lower metric by which a route beside it would win; make it again with a \
         metric of 2 or more"
    )]
    NoMetric(Box<SeenRoute>),
}

/// Lays out the steps. The service path comes first, so that undoing it comes last: by then a dying namespace
/// has taken the veth pair along.
pub fn attach(input: &AttachInput) -> Result<Plan, AttachPlanError> {
    refuse_ipv6_without(input)?;
    let mut steps = Vec::new();
    if let Some(service) = &input.service {
        steps.extend(service_path::steps(input, service)?);
    }
    for (position, chosen) in input.networks.iter().enumerate() {
        refuse_taken(input.sandbox, &chosen.intent.interface)?;
        refuse_mtu(chosen)?;
        steps.extend(network::steps(input, position, chosen)?);
    }
    Ok(Plan { steps })
}

/// The hardware address of the interface of network number `position` of a lease; `None` when a VF has no Ethernet one.
pub fn interface_mac(serial: u64, position: usize, chosen: &ChosenNetwork) -> Option<MacAddress> {
    match &chosen.device {
        ChosenDevice::Vf(device) => chosen.intent.mac.or(device.link.mac),
        ChosenDevice::Macvlan(_) => Some(made_mac(serial, position, chosen)),
    }
}

/// The hardware address of a device that is made: what the request chose, or one of our own.
pub(super) fn made_mac(serial: u64, position: usize, chosen: &ChosenNetwork) -> MacAddress {
    chosen.intent.mac.unwrap_or_else(|| local_mac(serial, MacRole::Network(position)))
}

pub(super) fn refuse_taken(
    sandbox: &SandboxFacts,
    name: &InterfaceName,
) -> Result<(), AttachPlanError> {
    if sandbox.has(name) { Err(AttachPlanError::NameTaken(name.clone())) } else { Ok(()) }
}

/// The kernel refuses a macvlan that is longer than its parent, and says no more than that; a VF that is longer than its
/// physical function is refused by some drivers, and drops packets with others.
fn refuse_mtu(chosen: &ChosenNetwork) -> Result<(), AttachPlanError> {
    let (device, limit) = match &chosen.device {
        ChosenDevice::Vf(device) => (&device.candidate.pf_name, device.pf_mtu),
        ChosenDevice::Macvlan(parent) => (&parent.name, Some(parent.mtu)),
    };
    match chosen.intent.network.mtu.zip(limit) {
        Some((mtu, limit)) if mtu > limit => {
            let (network, device) = (chosen.intent.name.clone(), device.to_string());
            Err(AttachPlanError::MtuTooHigh { network, mtu, device, limit })
        }
        _ => Ok(()),
    }
}

fn refuse_ipv6_without(input: &AttachInput) -> Result<(), AttachPlanError> {
    if input.host_ipv6 != Ipv6::Absent {
        return Ok(());
    }
    let has =
        |chosen: &&ChosenNetwork| chosen.addresses.iter().any(|address| address.addr().is_ipv6());
    if let Some(chosen) = input.networks.iter().find(has) {
        return Err(AttachPlanError::NoIpv6(format!("network {}", chosen.intent.name)));
    }
    match &input.service {
        Some(ChosenService::Veth { sources, .. }) if sources.iter().any(IpAddr::is_ipv6) => {
            Err(AttachPlanError::NoIpv6("the service path".to_owned()))
        }
        _ => Ok(()),
    }
}

/// What a hardware address that we make is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum MacRole {
    ServiceHost,
    ServiceSandbox,
    Network(usize),
}

/// A hardware address of our own: different for each lease and role, and the same each time it is asked for.
pub(super) fn local_mac(serial: u64, role: MacRole) -> MacAddress {
    let offset = match role {
        MacRole::ServiceHost => 0,
        MacRole::ServiceSandbox => 1,
        MacRole::Network(position) => 2 + position as u64,
    };
    MacAddress::local(serial.wrapping_add(offset))
}
