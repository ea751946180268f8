//! Every change that vfhook can make to the machine, as data.
//!
//! A step names what it changes by what does not change: a device by its PCI address, the sandbox's namespace by
//! its cookie (which the kernel layer holds open), our own links by the names we chose. All steps may be repeated.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use super::{
    made_link::{
        CreateBond, CreateIpvlan, CreateMacvlan, CreateVeth, CreateVlan, JoinBond, OwnLink,
    },
    place::Place,
    translate_step::Translate,
};
use crate::{
    inventory::{Candidate, Kept, Link, Route, RoutingRule, Sysctls},
    types::{InterfaceName, KernelText, MacAddress, OwnerTag, PciAddress, Reset, VfAttributes},
};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Step {
    /// Sets what the card enforces for a VF, and makes the VF's interface use the MAC among it.
    ConfigureVf(ConfigureVf),
    /// Moves a device's interface into the sandbox under a new name, tagged; it arrives down.
    TakeDevice(TakeDevice),
    /// Brings a device's interface back from wherever it is and makes it as it was; its MAC may be one that the card assigned and
    /// its driver had not used before.
    ReturnDevice(ReturnDevice),
    /// Binds a device to vfio-pci, so that a program drives it; its interface ends with that.
    BindVfio(BindVfio),
    /// Takes such a device back once nobody has it, gives it to its driver again, and makes its interface as it was.
    UnbindVfio(UnbindVfio),
    /// Makes a macvlan device inside the sandbox.
    CreateMacvlan(CreateMacvlan),
    /// Makes an ipvlan device inside the sandbox.
    CreateIpvlan(CreateIpvlan),
    /// Makes an interface inside the sandbox of what a parent gets in a VLAN.
    CreateVlan(CreateVlan),
    /// Makes a veth pair, one end inside the sandbox.
    CreateVeth(CreateVeth),
    /// Makes a bond inside the sandbox, without links.
    CreateBond(CreateBond),
    /// Gives a bond one of its links, which is down until then; it is the bond's from here on, and free again when that is deleted.
    JoinBond(JoinBond),
    /// Deletes a link that we made; one that is gone is no failure, and one that is not ours is left alone.
    DeleteLink(OwnLink),
    /// Brings a link up.
    LinkUp {
        /// Where.
        place: Place,
        /// Which.
        name: InterfaceName,
        /// Marks the link as ours at the same time.
        tag: OwnerTag,
    },
    /// Asks on the wire whether somebody has one of these addresses; fails if so. Changes nothing.
    ProbeAddresses {
        /// The link in the sandbox.
        name: InterfaceName,
        /// The addresses that it is to have.
        addresses: Vec<IpAddr>,
    },
    /// Adds an address, usable at once (no duplicate address detection).
    AddAddress {
        /// The link in the sandbox.
        name: InterfaceName,
        /// The address with its prefix length.
        address: IpNet,
    },
    /// Adds a route of ours before those that are there. One that is not ours, which only leases of earlier versions put back,
    /// takes the place of the one with its destination and metric.
    AddRoute {
        /// Where.
        place: Place,
        /// The route.
        route: Route,
    },
    /// Deletes a route; one that is gone already is no failure.
    DeleteRoute {
        /// Where.
        place: Place,
        /// The route.
        route: Route,
    },
    /// Adds a rule in the sandbox by which the kernel chooses a table of routes.
    AddRule(RoutingRule),
    /// Deletes such a rule; one that is gone already is no failure.
    DeleteRule(RoutingRule),
    /// Adds a neighbour that needs no resolution.
    AddNeighbour {
        /// Where.
        place: Place,
        /// The link.
        name: InterfaceName,
        /// The neighbour's address.
        address: IpAddr,
        /// Its hardware address.
        mac: MacAddress,
    },
    /// Sets a per-interface sysctl.
    WriteSysctl {
        /// Where.
        place: Place,
        /// Below `/proc/sys/net`, such as `ipv4/conf/vfh0/rp_filter`.
        key: String,
        /// What to write.
        value: String,
    },
    /// Tells the neighbours which MAC the addresses have now, that of the link: gratuitous ARP, unsolicited NA.
    Announce {
        /// The link in the sandbox.
        name: InterfaceName,
        /// The addresses.
        addresses: Vec<IpAddr>,
    },
    /// Makes sure that our nft table masquerades service path sources.
    InstallMasquerade {
        /// The sources, one network a configured range.
        sources: BTreeSet<IpNet>,
    },
    /// Removes our nft table.
    RemoveMasquerade,
    /// What is done about services that become backends at the socket.
    Translate(Translate),
    /// Brings the interface of a physical function up or down.
    SetFunctionUp {
        /// The physical function.
        pf: PciAddress,
        /// The name of its interface, for messages.
        pf_name: KernelText,
        /// Whether it is to be up.
        up: bool,
    },
    /// Makes a physical function have this many VFs.
    SetNumVfs {
        /// The physical function.
        pf: PciAddress,
        /// The name of its interface, for messages.
        pf_name: KernelText,
        /// How many.
        count: u32,
    },
}

impl Step {
    /// Whether nothing but the sandbox itself depends on it. Where a workload made such an undo impossible, what is left is its own,
    /// and nothing that others wait for is held back.
    pub fn is_sandboxs_own(&self) -> bool {
        match self {
            Self::AddRoute { place, .. }
            | Self::DeleteRoute { place, .. }
            | Self::AddNeighbour { place, .. }
            | Self::WriteSysctl { place, .. }
            | Self::LinkUp { place, .. } => *place == Place::Sandbox,
            Self::AddAddress { .. }
            | Self::AddRule(_)
            | Self::DeleteRule(_)
            | Self::Announce { .. } => true,
            _ => false,
        }
    }

    /// Whether what it removes is shared by leases, so that it is done when the last of them goes, which is decided each time.
    pub fn ends_what_is_shared(&self) -> bool {
        matches!(
            self,
            Self::RemoveMasquerade
                | Self::Translate(Translate::Remove { .. } | Translate::ForgetView { .. })
        )
    }
}

/// See [`Step::ConfigureVf`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigureVf {
    /// The VF.
    pub device: Candidate,
    /// What to set; nothing else is touched.
    pub attributes: VfAttributes,
    /// The MAC that the VF's interface shall have afterwards; `None` leaves it.
    pub interface_mac: Option<MacAddress>,
    /// What the VF's driver shall call its permanent MAC afterwards; `None` does not care.
    pub permanent_mac: Option<MacAddress>,
    /// Whether a driver that does not know an attribute is forgiven.
    pub forgiving: bool,
    /// The VF's driver, for messages.
    pub driver: String,
}

/// See [`Step::TakeDevice`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeDevice {
    /// The device.
    pub device: PciAddress,
    /// Its interface's number in the host's namespace.
    pub index: u32,
    /// Its name in the sandbox.
    pub name: InterfaceName,
    /// Its MTU there; `None` leaves it.
    pub mtu: Option<u32>,
    /// Whose it is.
    pub tag: OwnerTag,
}

/// See [`Step::ReturnDevice`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnDevice {
    /// The device.
    pub device: PciAddress,
    /// The name it was given in the sandbox; a label.
    pub inside: KernelText,
    /// What its interface was like before.
    pub baseline: Link,
    /// The sysctls that its interface had on the host.
    #[serde(default)]
    pub sysctls: Sysctls,
    /// Which of its features were asked for, 32 a word; empty where nobody looked.
    #[serde(default)]
    pub features: Vec<u32>,
    /// What is done to it once its interface is home.
    #[serde(default)]
    pub reset: Reset,
    /// The driver that takes it again then; empty for the one that has it.
    #[serde(default)]
    pub driver: String,
    /// What the host had on it, of a device that was given whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Box<WholeHome>>,
}

/// What comes home with a device that was given whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeHome {
    /// What the host had on it.
    pub kept: Kept,
    /// Whose it was, by which it is known where its bus does not tell.
    pub tag: OwnerTag,
}

/// See [`Step::BindVfio`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindVfio {
    /// The device.
    pub device: PciAddress,
    /// What the request calls it.
    pub name: InterfaceName,
    /// The driver that lets go of it.
    pub driver: String,
}

/// See [`Step::UnbindVfio`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnbindVfio {
    /// The only driver that it might be bound to before.
    pub driver_override: Option<String>,
    /// Its interface as it was, and the driver that made it.
    pub home: ReturnDevice,
}
