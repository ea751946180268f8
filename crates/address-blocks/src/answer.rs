//! What a request came to.

use crate::{
    holder::Holder,
    holding::{Holding, Stage},
    message::{Answer, Request},
    object::{Phase, Uid, Version},
    rule::Rule,
};

impl Holder {
    /// Takes in the answer to the one request that was sent. One that comes when none is awaited is of a connection that was lost.
    pub(crate) fn take_answer(&mut self, answer: Answer) {
        let Some(sent) = self.state.sent.take() else { return };
        if !self.setting.rules.keep(Rule::ContactIsReading) && answer != Answer::Lost {
            self.state.hold = self.setting.waits.hold;
        }
        if answer == Answer::Lost || answer == Answer::Conflict {
            return self.doubt(&sent.request);
        }
        match sent.request {
            // Any other answer: it is asked again.
            Request::Read => {
                if let Answer::Read(objects) = answer {
                    self.reconcile(&objects, sent.hold);
                }
            }
            Request::Names => match answer {
                Answer::Names(taken) => self.state.search.learns(taken),
                _ => self.state.search.rests(&self.setting.waits),
            },
            Request::Create { cell } => match answer {
                Answer::Created { uid, version } => self.is_created(cell, uid, version),
                Answer::Exists => self.is_anothers(cell),
                _ => self.state.search.rests(&self.setting.waits),
            },
            Request::SetPhase { cell, uid, phase, .. } => match answer {
                Answer::Written { version } => self.is_marked(cell, uid, version, phase),
                Answer::Absent => self.lose(cell, uid),
                _ => self.state.in_doubt = true,
            },
            Request::Delete { cell, uid, .. } => match answer {
                Answer::Deleted | Answer::Absent => self.forget(cell, uid),
                _ => self.state.in_doubt = true,
            },
        }
    }

    /// The server may have done what was asked, or not. What reads has no effect, so it is asked again.
    fn doubt(&mut self, request: &Request) {
        match request {
            Request::Read | Request::Names => {}
            Request::Create { cell } if !self.setting.rules.keep(Rule::LostAnswerIsRead) => {
                self.is_created(*cell, Uid(0), Version(0));
            }
            _ => self.state.in_doubt = true,
        }
    }

    fn is_created(&mut self, cell: crate::Cell, uid: Uid, version: Version) {
        self.state.search.ends();
        // The watch may have told more already.
        if self.state.blocks.get(&cell).is_some_and(|block| block.version >= version) {
            return;
        }
        let (settle, idle) = (self.settling(), self.setting.waits.idle);
        let block = Holding::new(uid, version, Phase::Active, Stage::Settling(settle), idle);
        self.state.blocks.insert(cell, block);
    }

    fn is_anothers(&mut self, cell: crate::Cell) {
        match self.state.blocks.get_mut(&cell).map(|block| &mut block.stage) {
            Some(Stage::Guest { may_take_again, .. }) => *may_take_again = false,
            _ => self.state.search.is_refused(cell),
        }
    }

    fn is_marked(&mut self, cell: crate::Cell, uid: Uid, version: Version, phase: Phase) {
        let block = self.state.blocks.get_mut(&cell).filter(|block| block.uid == uid);
        // The watch may have told more already.
        if let Some(block) = block.filter(|block| block.version < version) {
            (block.version, block.phase) = (version, phase);
        }
    }

    fn forget(&mut self, cell: crate::Cell, uid: Uid) {
        if self.state.blocks.get(&cell).is_some_and(|block| block.uid == uid) {
            self.state.blocks.remove(&cell);
        }
    }
}
