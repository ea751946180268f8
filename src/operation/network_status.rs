//! What a container may know of its interfaces, in the shape of the list that Multus writes into a pod's annotation
//! (`k8s.v1.cni.cncf.io/network-status`; network-attachment-definition-client, `pkg/apis/k8s.cni.cncf.io/v1/types.go`). One answer for the
//! container's file, its environment and `vfhook status`. Looks only; of what a container did to its interfaces it says nothing.

use std::net::IpAddr;

use serde::Serialize;

use super::AttachReport;
use crate::{
    kernel::Kernel,
    lease::{Attached, Lease},
    operation::How,
    types::{InterfaceName, MacAddress, Name, Origin, PciAddress},
};

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NetworkStatus {
    /// The network.
    pub name: Name,
    /// The interface's name in the sandbox.
    pub interface: InterfaceName,
    /// Its addresses, without the length of their prefix.
    pub ips: Vec<IpAddr>,
    /// Its hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
    /// Its MTU in bytes, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Whether its address is the pod's own: it is where vfhook is the node's network plugin.
    pub default: bool,
    /// Nothing: vfhook leaves names alone.
    pub dns: Dns,
    /// The next hops of its default routes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateway: Vec<IpAddr>,
    /// The device; `None` where one was made (macvlan).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_info: Option<DeviceInfo>,
    /// The NUMA node of the device, where the machine tells. A key of ours: the list has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numa_node: Option<u32>,
}

/// An empty object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dns {}

/// A device as the device-info specification of the Network Plumbing Working Group has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// `pci`.
    pub r#type: &'static str,
    /// Of that specification.
    pub version: &'static str,
    /// Which one.
    pub pci: Pci,
}

/// A PCI device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pci {
    /// Its address.
    pub pci_address: PciAddress,
}

/// The name of a pod's own interface.
const PRIMARY: &str = "eth0";

/// What the sandbox of `lease` has, in the order of its networks.
pub(super) fn network_status(kernel: &mut impl Kernel, lease: &Lease) -> Vec<NetworkStatus> {
    let report = AttachReport::of(lease, How::Already, 0);
    lease.networks.iter().map(|had| of(kernel, lease.origin, &report, had)).collect()
}

fn of(
    kernel: &mut impl Kernel,
    origin: Origin,
    report: &AttachReport,
    had: &Attached,
) -> NetworkStatus {
    let pci =
        |address| DeviceInfo { r#type: "pci", version: "1.1.0", pci: Pci { pci_address: address } };
    let mtu = report.mtu(&had.interface);
    NetworkStatus {
        name: had.network.clone(),
        interface: had.interface.clone(),
        ips: had.addresses.iter().map(ipnet::IpNet::addr).collect(),
        mac: had.mac,
        mtu: mtu.or_else(|| parents_mtu(kernel, report, &had.interface)),
        default: origin == Origin::Cni && had.interface.as_str() == PRIMARY,
        dns: Dns {},
        gateway: report.gateways(&had.interface),
        device_info: had.device.map(pci),
        numa_node: had.device.and_then(|device| kernel.numa_node(device)),
    }
}

/// The MTU of a macvlan that was given none: its parent's.
fn parents_mtu(
    kernel: &mut impl Kernel,
    report: &AttachReport,
    interface: &InterfaceName,
) -> Option<u32> {
    let parent = report.macvlan_parent(interface)?.as_str()?.parse().ok()?;
    kernel.observe_link(&parent).ok().map(|link| link.mtu)
}
