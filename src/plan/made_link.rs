//! The links that vfhook makes, as data: how they are made, and how they are known again.

use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::{
    inventory::Link,
    types::{InterfaceName, IpvlanMode, KernelText, MacAddress, MacvlanMode, OwnerTag, Vlan},
};

/// See [`super::step::Step::CreateMacvlan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateMacvlan {
    /// The parent's name in the host's namespace.
    pub parent: KernelText,
    /// The parent's number.
    pub parent_index: u32,
    /// The new link's name.
    pub name: InterfaceName,
    /// Its hardware address.
    pub mac: MacAddress,
    /// Its MTU; `None` takes the parent's.
    pub mtu: Option<u32>,
    /// How it stands on the parent.
    #[serde(default, skip_serializing_if = "is_bridge")]
    pub mode: MacvlanMode,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_bridge(mode: &MacvlanMode) -> bool {
    *mode == MacvlanMode::Bridge
}

/// See [`super::step::Step::CreateIpvlan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateIpvlan {
    /// The parent's name in the host's namespace.
    pub parent: KernelText,
    /// The parent's number.
    pub parent_index: u32,
    /// The new link's name.
    pub name: InterfaceName,
    /// The group that it is known by: its hardware address is its parent's.
    pub group: u32,
    /// The mode of all ipvlans on the parent.
    pub mode: IpvlanMode,
    /// Its MTU; `None` takes the parent's.
    pub mtu: Option<u32>,
}

/// See [`super::step::Step::CreateVlan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateVlan {
    /// The parent's name in the host's namespace.
    pub parent: KernelText,
    /// The parent's number.
    pub parent_index: u32,
    /// The new link's name.
    pub name: InterfaceName,
    /// The group that it is known by: its hardware address is its parent's.
    pub group: u32,
    /// What frames outside have and those inside have not. Its priority is that of what says none.
    pub vlan: Vlan,
    /// Its MTU; `None` takes the parent's.
    pub mtu: Option<u32>,
}

/// See [`super::step::Step::CreateBond`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateBond {
    /// The new link's name.
    pub name: InterfaceName,
    /// The group that it is known by: its hardware address is that of the link that carries.
    pub group: u32,
    /// Its MTU in bytes, which its links get too.
    pub mtu: u32,
}

/// See [`super::step::Step::JoinBond`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinBond {
    /// The bond.
    pub bond: InterfaceName,
    /// The link that becomes one of its own.
    pub name: InterfaceName,
}

/// See [`super::step::Step::DeleteLink`]. A name alone proves nothing: somebody else may have it, and a sandbox may rename a link of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnLink {
    /// Where it was made.
    pub place: Place,
    /// The name it was made with: where to look first.
    pub name: InterfaceName,
    /// The hardware address it was made with.
    pub mac: MacAddress,
    /// The tag that it was given afterwards.
    pub tag: OwnerTag,
    /// The group it was made with, where that and not its hardware address is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
}

impl OwnLink {
    /// Whether `found` is the link: it has the hardware address, or the group where that is its own, or the tag and the name.
    pub fn is(&self, found: &Link) -> bool {
        let tagged = found.alias.as_ref().and_then(OwnerTag::parse).as_ref() == Some(&self.tag);
        let known = match self.group {
            Some(group) => found.group() == Some(group),
            None => found.mac == Some(self.mac),
        };
        known || (tagged && found.name == self.name)
    }
}

/// See [`super::step::Step::CreateVeth`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateVeth {
    /// The host end.
    pub host: InterfaceName,
    /// Its hardware address.
    pub host_mac: MacAddress,
    /// The end in the sandbox.
    pub inside: InterfaceName,
    /// Its hardware address.
    pub inside_mac: MacAddress,
    /// The MTU of both; `None` leaves it to the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
}
