//! Water marks: which blocks a node gives back, keeps after all, or lacks.

use crate::{
    cell::Cell,
    holder::Holder,
    holding::{Holding, Stage},
    rule::Rule,
};

impl Holder {
    /// Marks what is given back, and takes back what was marked and is needed.
    pub(crate) fn weigh(&mut self) {
        while self.lacks() && self.keep_after_all() {}
        while let Some(cell) = self.surplus() {
            if let Some(block) = self.state.blocks.get_mut(&cell) {
                block.stage = Stage::Leaving(None);
            }
        }
    }

    /// Whether fewer addresses are free, or will be soon, than are wanted.
    pub(crate) fn lacks(&self) -> bool {
        self.free_without(None) < self.state.need.low
    }

    /// How many addresses are free of the blocks that are kept, without those of one.
    fn free_without(&self, without: Option<Cell>) -> u32 {
        let kept = self
            .state
            .blocks
            .iter()
            .filter(|(cell, block)| block.is_kept() && Some(**cell) != without);
        kept.fold(0, |sum, (cell, block)| sum.saturating_add(self.free_of(cell, block)))
    }

    fn free_of(&self, cell: &Cell, block: &Holding) -> u32 {
        let taken = self.state.leases.taken_in(cell);
        let blocked = u32::try_from(block.blocked.len()).unwrap_or(u32::MAX);
        self.setting.grid.usable_count(cell).saturating_sub(taken).saturating_sub(blocked)
    }

    /// A block that is empty for long and not needed.
    fn surplus(&self) -> Option<Cell> {
        let idle = |cell: &Cell, block: &Holding| {
            block.is_kept() && block.idle == 0 && self.state.leases.taken_in(cell) == 0
        };
        let mut idle = self.state.blocks.iter().filter(|(cell, block)| idle(cell, block));
        idle.find(|(cell, _)| self.free_without(Some(**cell)) >= self.state.need.high)
            .map(|(cell, _)| *cell)
    }

    /// One block is not given back after all; whether there was one that is worth it.
    fn keep_after_all(&mut self) -> bool {
        let (settle, idle) = (self.settling(), self.setting.waits.idle);
        let ask = self.setting.rules.keep(Rule::WithdrawnThenAsked);
        let grid = &self.setting.grid;
        let leaving = |(cell, block): &(&Cell, &mut Holding)| {
            block.is_leaving() && grid.usable_count(cell) > 0
        };
        let Some((_, block)) = self.state.blocks.iter_mut().find(leaving) else { return false };
        block.stage = if ask { Stage::Settling(settle) } else { Stage::Open };
        block.idle = idle;
        true
    }
}
