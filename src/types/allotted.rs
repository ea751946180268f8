//! What whoever counts devices set aside for a pod. It says nothing about what the device is for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::PciAddress;

/// A device that a scheduler or kubelet chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Allotted {
    /// This VF, which nobody else has then.
    Vf(PciAddress),
    /// A share of what its pool makes devices on: others have theirs.
    Share,
}

impl Allotted {
    /// The VF, where it is one.
    pub fn vf(self) -> Option<PciAddress> {
        match self {
            Self::Vf(address) => Some(address),
            Self::Share => None,
        }
    }
}

impl fmt::Display for Allotted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vf(address) => write!(f, "VF {address}"),
            Self::Share => f.write_str("a share"),
        }
    }
}
