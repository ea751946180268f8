//! A device as observed, and whether it can be given away.

use std::fmt;

use super::{Candidate, Link};
use crate::types::VfAttributes;

/// A virtual function at the moment before it is given away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Which one.
    pub candidate: Candidate,
    /// Its interface in the host's namespace.
    pub link: Link,
    /// What the card enforces for it; `None` when nobody needed to know.
    pub attributes: Option<VfAttributes>,
    /// The driver of the VF, for messages.
    pub driver: String,
    /// The MTU of its physical function, which the card passes nothing longer than; `None` when it cannot be told.
    pub pf_mtu: Option<u32>,
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
    /// The host itself uses the interface.
    InUse {
        /// Its name.
        name: String,
        /// What for.
        by: String,
    },
    /// This interface of it carries the tag of a sandbox that has no lease.
    Tagged(Box<Link>),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDriver => f.write_str("no driver bound"),
            Self::NoInterface { driver } => write!(f, "no interface ({driver})"),
            Self::InUse { name, by } => write!(f, "{name}: the host's ({by})"),
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
        let in_use = |by: String| Some(Unusable::InUse { name: self.link.name.to_string(), by });
        if self.link.alias.as_ref().and_then(crate::types::OwnerTag::parse).is_some() {
            return Some(Unusable::Tagged(Box::new(self.link.clone())));
        }
        if let Some(master) = self.link.master {
            return in_use(format!("enslaved to interface {master}"));
        }
        self.link.addresses.first().and_then(|address| in_use(format!("has address {address}")))
    }
}
