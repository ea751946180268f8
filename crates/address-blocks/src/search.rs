//! Which cell a node tries to take next: one creation a cell, never a list of all blocks before many were refused.

use std::collections::BTreeSet;

use crate::{
    cell::Cell,
    grid::{Grid, Order},
    setting::Waits,
};

/// How far a search is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Search {
    /// The turn in the node's order of cells.
    turn: u64,
    /// Cells that were tried in vain since the last that was taken, or since the last list.
    refused: u64,
    /// What a list of names said is taken, once there was one.
    taken: Option<BTreeSet<Cell>>,
    /// How much longer nothing is tried.
    pub(crate) wait: u32,
    /// Whether a list showed the range full the last time: then it begins with one, which costs less than to find out again.
    was_full: bool,
    /// How often the wait was doubled.
    doubled: u8,
}

/// What a search does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Try {
    /// Takes this cell.
    Cell(Cell),
    /// Asks which are taken.
    Names,
    /// Waits: there is none.
    None,
}

/// Cells that are passed over in one look for the next that may be tried.
const LOOKED_AT: u64 = 1 << 16;

impl Search {
    /// The next try. `may` says which cells are worth one.
    pub(crate) fn next(
        &mut self,
        grid: &Grid,
        order: Order,
        tries: u32,
        may: impl Fn(&Cell) -> bool,
    ) -> Try {
        let cells = grid.cells();
        let round = cells.min(LOOKED_AT);
        self.turn %= cells.max(1);
        let is_many = self.was_full || self.refused >= u64::from(tries);
        if self.taken.is_none() && is_many && self.refused < cells {
            return Try::Names;
        }
        if self.refused >= cells {
            return Try::None;
        }
        for _ in 0..round {
            let cell = order.at(self.turn, cells).and_then(|index| grid.cell(index));
            let is_taken =
                |cell: &Cell| self.taken.as_ref().is_some_and(|taken| taken.contains(cell));
            if let Some(cell) = cell.filter(|cell| may(cell) && !is_taken(cell)) {
                return Try::Cell(cell);
            }
            self.turn = (self.turn + 1) % cells.max(1);
        }
        Try::None
    }

    /// The cell that was tried is another's.
    pub(crate) fn is_refused(&mut self, cell: Cell) {
        self.turn = self.turn.wrapping_add(1);
        self.refused += 1;
        if let Some(taken) = &mut self.taken {
            taken.insert(cell);
        }
    }

    /// Which cells are taken.
    pub(crate) fn learns(&mut self, taken: BTreeSet<Cell>) {
        self.refused = 0;
        self.taken = Some(taken);
    }

    /// The cell that was tried is ours: what was learnt is old.
    pub(crate) fn ends(&mut self) {
        *self = Self { turn: self.turn, ..Self::default() };
    }

    /// There is none, or the server does not want it. What was learnt is old when it is tried again.
    pub(crate) fn rests(&mut self, waits: &Waits) {
        let wait =
            waits.retry.saturating_mul(1 << self.doubled.min(16)).min(waits.retry_most).max(1);
        let doubled = self.doubled + u8::from(wait < waits.retry_most);
        let was_full = self.taken.is_some();
        *self = Self { turn: self.turn, wait, was_full, doubled, ..Self::default() };
    }
}
