//! What does not change while a holder lives: whose blocks, of which grid, and how long it waits.

use crate::{
    grid::{Grid, Order},
    object::Owner,
    rule::Rules,
};

/// Waiting times in milliseconds. They are one's own: no clock of two machines is compared, and after a restart they begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// A new block waits so long before the wire is asked: longer than a connected owner needs to see that it lost one, a watch's delay
    /// and one reconnection.
    pub settle: u32,
    /// After a start, an outage or a restored server nobody's cell is taken for so long.
    pub quiet: u32,
    /// Without contact addresses are given for so long.
    pub hold: u32,
    /// A grant that is published is good for so long; not longer than `settle`, or a dead daemon gives what it lost.
    pub pulse: u32,
    /// An empty block that is not needed is kept for so long.
    pub idle: u32,
    /// Who found no free cell, or was refused, tries again after so long.
    pub retry: u32,
    /// It waits twice as long each time, up to this: a range that is full is asked for no more than that.
    pub retry_most: u32,
    /// An address that somebody answered for is asked for again after so long.
    pub ask_again: u32,
}

impl Waits {
    /// What is waited for where nobody says otherwise.
    pub const DEFAULT: Self = Self {
        settle: 15_000,
        quiet: 60_000,
        hold: 3_600_000,
        pulse: 15_000,
        idle: 600_000,
        retry: 30_000,
        retry_most: 1_920_000,
        ask_again: 600_000,
    };

    /// When a grant is published again though nothing changed.
    pub(crate) fn republish(&self) -> u32 {
        (self.pulse / 3).max(1)
    }
}

/// All that a holder is made with.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Who holds.
    pub owner: Owner,
    /// The cells of the network's ranges.
    pub grid: Grid,
    /// In which order cells are tried.
    pub order: Order,
    /// How long it waits.
    pub waits: Waits,
    /// Cells that are tried, each with a creation that is refused, before one list of names is asked for.
    pub tries: u32,
    /// What is kept.
    pub rules: Rules,
}
