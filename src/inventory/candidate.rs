//! A device that a pool's selector matches, before anything was asked of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::{KernelText, PciAddress};

/// A virtual function and where it belongs. Known from sysfs alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The VF itself.
    pub address: PciAddress,
    /// The number of the VF on its physical function, from 0.
    pub index: u32,
    /// The physical function.
    pub pf_address: PciAddress,
    /// The name of its interface when looked at; a label, not an identity.
    pub pf_name: KernelText,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} vf {})", self.address, self.pf_name, self.index)
    }
}
