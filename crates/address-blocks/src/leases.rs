//! The addresses that a node's sandboxes have, and those that rest after them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::cell::Cell;

/// What of a network's addresses is not free on this node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Leases {
    used: BTreeSet<IpAddr>,
    /// How much longer each rests, in milliseconds.
    resting: BTreeMap<IpAddr, u32>,
}

impl Leases {
    /// `address` belongs to a sandbox from here on.
    pub fn begin(&mut self, address: IpAddr) {
        self.resting.remove(&address);
        self.used.insert(address);
    }

    /// The sandbox of `address` is over. Neighbours keep its MAC for a while, so it is given to nobody for `rest` milliseconds.
    pub fn end(&mut self, address: IpAddr, rest: u32) {
        if self.used.remove(&address) && rest > 0 {
            self.resting.insert(address, rest);
        }
    }

    /// `elapsed` milliseconds are over.
    pub fn pass(&mut self, elapsed: u32) {
        self.resting.retain(|_, left| {
            *left = left.saturating_sub(elapsed);
            *left > 0
        });
    }

    /// Whether a sandbox has `address`.
    pub fn uses(&self, address: IpAddr) -> bool {
        self.used.contains(&address)
    }

    /// Whether `address` is free: nobody has it, and it rests no more.
    pub fn is_free(&self, address: IpAddr) -> bool {
        !self.used.contains(&address) && !self.resting.contains_key(&address)
    }

    /// How many addresses of `cell` are in use or at rest.
    pub fn taken_in(&self, cell: &Cell) -> u32 {
        let all = cell.first()..=cell.last();
        let taken = self.used.range(all.clone()).count() + self.resting.range(all).count();
        u32::try_from(taken).unwrap_or(u32::MAX)
    }

    /// Every address that a sandbox has.
    pub fn used(&self) -> impl Iterator<Item = IpAddr> {
        self.used.iter().copied()
    }

    /// The time after which an address comes free, if one rests.
    pub(crate) fn next_free(&self) -> Option<u32> {
        self.resting.values().min().copied()
    }
}
