//! What a node may give out, as it is published for those who attach, and remembered for the next daemon: the same file, so that nobody
//! gives by what a daemon would not remember. Who attaches asks nobody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    cell::Cell,
    grid::Grid,
    leases::Leases,
    object::{Uid, Version},
};

/// How far a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// The node's; its addresses were not asked for on the wire yet.
    Unchecked,
    /// Its addresses are given.
    Open,
    /// It is being given back.
    Leaving,
    /// Not the node's any more: its sandboxes keep what they have.
    Guest,
}

/// A block as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Granted {
    /// Which object it is.
    pub uid: Uid,
    /// The last version of it that was seen.
    pub version: Version,
    /// How far it is.
    pub standing: Standing,
    /// What somebody else answered for.
    pub blocked: BTreeSet<IpAddr>,
}

/// All blocks, and how long they are good for. Times are milliseconds from the moment of writing: who reads it later takes off what
/// passed since, by the clock that goes on while the machine sleeps (`CLOCK_BOOTTIME`), and a grant of another boot is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grant {
    /// The blocks.
    pub blocks: BTreeMap<Cell, Granted>,
    /// For how long addresses may be given by it. A daemon that lives publishes again before that.
    pub valid: u32,
    /// For how long a daemon may go on giving from what is known now without hearing from the API server.
    pub hold: u32,
}

impl Grant {
    /// `elapsed` milliseconds are over since it was written.
    pub fn pass(&mut self, elapsed: u32) {
        self.valid = self.valid.saturating_sub(elapsed);
        self.hold = self.hold.saturating_sub(elapsed);
    }

    /// The addresses that may be given now, whoever has them. Whoever attaches holds the lock under which addresses are chosen from asking
    /// this until its lease is recorded.
    pub fn given<'a>(&'a self, grid: &'a Grid) -> impl Iterator<Item = IpAddr> + 'a {
        let open = self.blocks.iter().filter(|(_, block)| block.standing == Standing::Open);
        let open = open.filter(|_| self.valid > 0);
        open.flat_map(|(cell, block)| {
            grid.usable(cell).filter(|address| !block.blocked.contains(address))
        })
    }

    /// Whether `address` may be given now, whoever has it.
    pub fn gives(&self, grid: &Grid, address: IpAddr) -> bool {
        let open =
            |block: &Granted| block.standing == Standing::Open && !block.blocked.contains(&address);
        let mut around = self.blocks.iter().filter(|(cell, _)| cell.has(address));
        self.valid > 0 && grid.has(address) && around.any(|(_, block)| open(block))
    }

    /// Those of them that are free.
    pub fn free(&self, grid: &Grid, leases: &Leases) -> Vec<IpAddr> {
        self.given(grid).filter(|address| leases.is_free(*address)).collect()
    }
}
