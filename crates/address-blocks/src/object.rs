//! What the API server has of a block: the facts of its object that decide anything.

use std::sync::Arc;

use crate::cell::Cell;

/// The format of blocks that this program understands; a block of another one is held and not touched.
pub const FORMAT: u16 = 1;

/// The uid of an object, which no other object has or will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(pub u128);

/// The resourceVersion of an object or a list: later is greater, as from Kubernetes 1.35 on it may be compared (KEP-5504).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

/// Who owns a block: a machine, under the name that its node has. Another machine of that name is another owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// The Node's name.
    pub node: Arc<str>,
    /// A digest of the machine's id and its product's uuid.
    pub machine: Arc<str>,
}

/// What an owner does with its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It may give from it.
    Active,
    /// It gives it back.
    Draining,
}

/// One block's object. Its existence is its ownership.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    /// Which cell it is for.
    pub cell: Cell,
    /// Which object it is.
    pub uid: Uid,
    /// Which state of it this is.
    pub version: Version,
    /// Whose it is.
    pub owner: Owner,
    /// By which rules it is held.
    pub format: u16,
    /// What its owner does with it.
    pub phase: Phase,
}
