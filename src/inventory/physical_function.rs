//! A physical function and its virtual functions, as sysfs shows them.

use super::Candidate;
use crate::types::{KernelText, PciAddress};

/// A card, or one port of it, that can make virtual functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhysicalFunction {
    /// Its PCI address.
    pub address: PciAddress,
    /// The name of its interface.
    pub name: KernelText,
    /// How many VFs it can make.
    pub total_vfs: u32,
    /// How many it has made.
    pub num_vfs: u32,
    /// Those, in order of their index.
    pub vfs: Vec<Candidate>,
}
