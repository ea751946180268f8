//! A device as observed, and whether it can be given away.

use std::fmt;

use super::{Candidate, Link, Sysctls, Use};
use crate::types::VfAttributes;

/// A virtual function at the moment before it is given away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Which one.
    pub candidate: Candidate,
    /// Its interface in the host's namespace.
    pub link: Link,
    /// The sysctls of that interface.
    pub sysctls: Sysctls,
    /// Which of its features were asked for (`ethtool -k`), 32 a word; empty where that is not known.
    pub features: Vec<u32>,
    /// What the card enforces for it; `None` when nobody needed to know.
    pub attributes: Option<VfAttributes>,
    /// The driver of the VF, for messages.
    pub driver: String,
    /// The MTU of its physical function, which the card passes nothing longer than; `None` when it cannot be told.
    pub pf_mtu: Option<u32>,
    /// What somebody uses its interface for.
    pub uses: Vec<Use>,
}

/// Why a device that no lease holds is passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// No driver is bound to it.
    NoDriver,
    /// Its driver makes no interface (vfio-pci), or the interface is in a namespace that is not ours.
    NoInterface {
        /// The bound driver.
        driver: String,
    },
    /// Somebody uses the interface.
    InUse {
        /// Its name.
        name: String,
        /// What for; at least one.
        uses: Vec<Use>,
    },
    /// This interface of it carries the tag of a sandbox that has no lease.
    Tagged(Box<Link>),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDriver => f.write_str("no driver bound"),
            Self::NoInterface { driver } if serves_user_space(driver) => {
                write!(f, "in use: bound to {driver}, for a virtual machine or a program")
            }
            Self::NoInterface { driver } => {
                write!(f, "in use: its interface ({driver}) is in another namespace")
            }
            Self::InUse { name, uses } => {
                let uses: Vec<String> = uses.iter().map(ToString::to_string).collect();
                write!(f, "in use: {name}: {}", uses.join(", "))
            }
            Self::Tagged(link) => {
                write!(
                    f,
                    "tagged {}",
                    link.alias.as_ref().map_or(String::new(), ToString::to_string)
                )
            }
        }
    }
}

impl Device {
    /// Why it cannot be given away; `None` when it can.
    pub fn unusable(&self) -> Option<Unusable> {
        if self.link.alias.as_ref().and_then(crate::types::OwnerTag::parse).is_some() {
            return Some(Unusable::Tagged(Box::new(self.link.clone())));
        }
        let (name, uses) = (self.link.name.to_string(), self.uses.clone());
        (!uses.is_empty()).then_some(Unusable::InUse { name, uses })
    }
}

impl Unusable {
    /// Whether destroying the device could take it away from somebody.
    pub fn is_use(&self) -> bool {
        !matches!(self, Self::NoDriver)
    }
}

/// Whether a driver makes no interface because it hands the device on: to virtual machines (VFIO and its variants) or to a program.
fn serves_user_space(driver: &str) -> bool {
    driver.contains("vfio") || driver.contains("uio")
}
