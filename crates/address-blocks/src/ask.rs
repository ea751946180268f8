//! What is asked of the API server next: one request at a time, the most urgent first.

use crate::{
    cell::Cell,
    holder::Holder,
    holding::{Holding, Stage},
    message::Request,
    object::Phase,
    rule::Rule,
    search::Try,
};

impl Holder {
    pub(crate) fn next_request(&mut self) -> Option<Request> {
        let state = &self.state;
        let must_read = !state.read && self.setting.rules.keep(Rule::ContactIsReading);
        if must_read || state.in_doubt {
            return Some(Request::Read);
        }
        self.mark()
            .or_else(|| self.take_again())
            .or_else(|| self.take())
            .or_else(|| (!self.state.read).then_some(Request::Read))
    }

    /// Whether nothing is under way that may change this block.
    pub(crate) fn is_at_rest(&self, cell: &Cell) -> bool {
        let about = self.state.sent.as_ref().and_then(|sent| match &sent.request {
            Request::Create { cell }
            | Request::SetPhase { cell, .. }
            | Request::Delete { cell, .. } => Some(*cell),
            Request::Read | Request::Names => None,
        });
        !self.state.in_doubt && about != Some(*cell)
    }

    /// The next write of a block that is given back, or is not after all.
    fn mark(&self) -> Option<Request> {
        let marked = self.setting.rules.keep(Rule::MarkedBeforeDeleted);
        self.state.blocks.iter().find_map(|(cell, block)| {
            let (cell, uid, version) = (*cell, block.uid, block.version);
            match (block.stage, block.phase) {
                (Stage::Settling(_), Phase::Draining) => {
                    Some(Request::SetPhase { cell, uid, version, phase: Phase::Active })
                }
                (Stage::Leaving(Some(true)), Phase::Active) if marked => {
                    Some(Request::SetPhase { cell, uid, version, phase: Phase::Draining })
                }
                (Stage::Leaving(Some(true)), _) => Some(Request::Delete { cell, uid, version }),
                _ => None,
            }
        })
    }

    /// A block that was lost and has sandboxes still.
    fn take_again(&self) -> Option<Request> {
        let again = |block: &Holding| {
            matches!(block.stage, Stage::Guest { used: Some(true), may_take_again: true })
        };
        let lost = self.state.blocks.iter().find(|(_, block)| again(block));
        lost.map(|(cell, _)| Request::Create { cell: *cell })
    }

    /// A block more, if addresses are wanted.
    fn take(&mut self) -> Option<Request> {
        if self.state.quiet > 0 || self.state.search.wait > 0 || !self.lacks() {
            return None;
        }
        let (state, setting) = (&mut self.state, &self.setting);
        let blocks = &state.blocks;
        let may = |cell: &Cell| !blocks.contains_key(cell) && setting.grid.usable_count(cell) > 0;
        match state.search.next(&setting.grid, setting.order, setting.tries, may) {
            Try::Cell(cell) => Some(Request::Create { cell }),
            Try::Names => Some(Request::Names),
            Try::None => {
                state.search.rests(&setting.waits);
                None
            }
        }
    }
}
