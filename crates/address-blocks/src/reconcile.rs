//! What the server has of this node's blocks, and what is held here: brought together.

use std::{collections::BTreeSet, net::IpAddr};

use crate::{
    cell::Cell,
    holder::Holder,
    holding::{Holding, Stage},
    leases::Leases,
    message::Request,
    object::{FORMAT, Object, Phase, Uid},
    rule::Rule,
};

impl Holder {
    /// All blocks of this node's name were read; as contact that is good for `hold`.
    pub(crate) fn reconcile(&mut self, objects: &[Object], hold: u32) {
        if hold == 0 {
            // The question is so old that its answer proves nothing. Asked again.
            return;
        }
        if self.state.hold == 0 && self.setting.rules.keep(Rule::AskedAfterAbsence) {
            self.check_again(self.settling());
        }
        let own: Vec<&Object> = objects.iter().filter(|object| self.is_own(object)).collect();
        let gone = |cell: &&Cell| !own.iter().any(|object| object.cell == **cell);
        let gone: Vec<Cell> = self.state.blocks.keys().filter(gone).copied().collect();
        for cell in gone {
            self.lose_cell(cell);
        }
        for object in own {
            self.meet(object);
        }
        let state = &mut self.state;
        (state.read, state.in_doubt) = (true, false);
        state.hold = state.hold.max(hold);
    }

    /// A block of this node's name is so now.
    pub(crate) fn follow(&mut self, object: &Object) {
        let known = self.state.blocks.get(&object.cell);
        let is_old = known.is_some_and(|block| object.version < block.version);
        if self.state.read && self.is_own(object) && !is_old {
            self.meet(object);
        }
    }

    /// A block of this node's name is deleted.
    pub(crate) fn follow_end(&mut self, cell: Cell, uid: Uid) {
        if self.state.read {
            self.lose(cell, uid);
            // The answer may come yet that it was made.
            let asked = self.state.sent.as_ref().map(|sent| &sent.request);
            self.state.in_doubt |= asked == Some(&Request::Create { cell });
        }
    }

    /// The block is not ours any more, if it is that object still.
    pub(crate) fn lose(&mut self, cell: Cell, uid: Uid) {
        if self.state.blocks.get(&cell).is_some_and(|block| block.uid == uid) {
            self.lose_cell(cell);
        }
    }

    /// The leases as they are now, by what was published before.
    pub(crate) fn look(&mut self, leases: Leases) {
        let state = &mut self.state;
        state.leases = leases;
        let idle = self.setting.waits.idle;
        for (cell, block) in &mut state.blocks {
            let used = state.leases.taken_in(cell) > 0;
            if used {
                block.idle = idle;
            }
            match &mut block.stage {
                Stage::Leaving(empty) => *empty = Some(!used),
                Stage::Guest { used: seen, .. } => *seen = Some(used),
                Stage::Settling(_) | Stage::Asking | Stage::Open => {}
            }
        }
        state
            .blocks
            .retain(|_, block| !matches!(block.stage, Stage::Guest { used: Some(false), .. }));
    }

    /// Who answered on the wire. A sandbox of this node's own may.
    pub(crate) fn hear_wire(&mut self, cell: Cell, uid: Uid, answered: &BTreeSet<IpAddr>) {
        let ask_again = self.setting.waits.ask_again;
        let leases = &self.state.leases;
        let Some(block) = self.state.blocks.get_mut(&cell).filter(|block| block.uid == uid) else {
            return;
        };
        if block.stage == Stage::Asking {
            block.stage = Stage::Open;
        }
        if block.stage == Stage::Open {
            let others = answered.iter().filter(|at| cell.has(**at) && !leases.uses(**at));
            block.blocked = others.map(|at| (*at, ask_again)).collect();
        }
    }

    /// How long a new block waits.
    pub(crate) fn settling(&self) -> u32 {
        if self.setting.rules.keep(Rule::Settle) { self.setting.waits.settle } else { 0 }
    }

    fn is_own(&self, object: &Object) -> bool {
        let own = &self.setting.owner;
        let machine = self.setting.rules.keep(Rule::OwnerIsMachine);
        object.owner.node == own.node
            && (object.owner.machine == own.machine || !machine)
            && object.format == FORMAT
    }

    /// Takes in a block that is ours, whatever was known of it.
    fn meet(&mut self, object: &Object) {
        let (settle, idle) = (self.settling(), self.setting.waits.idle);
        let known = self.state.blocks.get_mut(&object.cell);
        if let Some(block) = known.filter(|block| block.uid == object.uid && !block.is_guest()) {
            let changed = (block.version, block.phase) != (object.version, object.phase);
            (block.version, block.phase) = (object.version, object.phase);
            if block.is_kept() && object.phase == Phase::Draining {
                // It may be about to be deleted, by what a former daemon sent, or by whoever takes its owner for gone.
                block.stage = Stage::Settling(settle);
            }
            if block.is_leaving() && changed {
                block.stage = Stage::Leaving(None);
            }
            return;
        }
        let unchecked = self.setting.rules.keep(Rule::UnrememberedIsUnchecked);
        let stage = match object.phase {
            Phase::Draining => Stage::Leaving(None),
            Phase::Active if unchecked => Stage::Settling(settle),
            Phase::Active => Stage::Open,
        };
        self.state.blocks.insert(object.cell, Holding::of(object, stage, idle));
    }

    fn lose_cell(&mut self, cell: Cell) {
        if !self.setting.rules.keep(Rule::LostGivesNothing) {
            return;
        }
        // By our own wish: nothing was used or at rest.
        let deleted = self.state.sent.as_ref().is_some_and(
            |sent| matches!(sent.request, Request::Delete { cell: deleted, .. } if deleted == cell),
        );
        if deleted {
            self.state.blocks.remove(&cell);
        } else if let Some(block) =
            self.state.blocks.get_mut(&cell).filter(|block| !block.is_guest())
        {
            block.stage = Stage::Guest { used: None, may_take_again: true };
            block.blocked.clear();
        }
    }

    /// What is given from waits and is asked for on the wire again.
    fn check_again(&mut self, settle: u32) {
        for block in self.state.blocks.values_mut().filter(|block| block.is_kept()) {
            block.stage = Stage::Settling(settle);
        }
    }
}
