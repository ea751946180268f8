//! What can be held by one lease at a time, and the name under which that is recorded.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::types::{MacAddress, Name, PciAddress, SandboxId, Segment, View};

/// One thing that a lease holds. Its text is a file name: every part of it is a checked type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// A sandbox, by id.
    Id(SandboxId),
    /// A network namespace, by cookie.
    Netns(u64),
    /// A device.
    Device(PciAddress),
    /// An address of a network, wherever its devices are.
    Address(Name, IpAddr),
    /// An address on a wire, whatever network it was given for.
    OnWire(Segment, IpAddr),
    /// A hardware address on a wire.
    Mac(Segment, MacAddress),
    /// An address of the service path.
    Source(IpAddr),
    /// A view of services, for the lease with this number: others may have the same.
    View(View, u64),
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "id.{id}"),
            Self::Netns(cookie) => write!(f, "netns.{cookie}"),
            Self::Device(address) => write!(f, "device.{address}"),
            Self::Address(network, address) => write!(f, "address.{network}.{address}"),
            Self::OnWire(segment, address) => write!(f, "wire.{segment}.{address}"),
            Self::Mac(segment, mac) => write!(f, "mac.{segment}.{mac}"),
            Self::Source(address) => write!(f, "source.{address}"),
            Self::View(view, serial) => write!(f, "view.{view}.{serial}"),
        }
    }
}
