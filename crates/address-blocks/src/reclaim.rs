//! Which blocks of owners that are gone are given back for them: what the elected one of a cluster's daemons does. Nothing depends on there
//! being one, and two do no harm.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cell::Cell,
    message::Request,
    object::{FORMAT, Object, Owner, Phase, Uid, Version},
    rule::{Rule, Rules},
};

/// What was seen of blocks without an owner.
#[derive(Debug, Clone)]
pub struct Reclaimer {
    /// How long a mark must stay.
    wait: u32,
    rules: Rules,
    /// How much longer each block must stay as it is.
    pub(crate) unowned: BTreeMap<(Cell, Uid, Version), u32>,
}

impl Reclaimer {
    /// One that has seen nothing. A block whose owner has no Node for half of `wait`, in milliseconds of its own clock, is marked as given
    /// back. An owner that is there withdraws that; where nobody did for the whole of `wait`, which is at least twice the time for which an owner
    /// gives without contact, the block is deleted.
    pub fn new(wait: u32, rules: Rules) -> Self {
        Self { wait, rules, unowned: BTreeMap::new() }
    }

    /// Takes in all blocks and the machines that have a Node, `elapsed` milliseconds after the last look, and says what is asked of the
    /// server; no answer is awaited. `off` are the machines of which a person said that they are switched off
    /// (`node.kubernetes.io/out-of-service`).
    pub fn look(
        &mut self,
        elapsed: u32,
        blocks: &[Object],
        nodes: &BTreeSet<Owner>,
        off: &BTreeSet<Owner>,
    ) -> Vec<Request> {
        let is_off = |block: &Object| off.contains(&block.owner);
        let is_unowned = |block: &&Object| {
            block.format == FORMAT && (!nodes.contains(&block.owner) || is_off(block))
        };
        let before = std::mem::take(&mut self.unowned);
        let mut requests = Vec::new();
        for block in blocks.iter().filter(is_unowned) {
            let key = (block.cell, block.uid, block.version);
            let marks = block.phase == Phase::Active && self.rules.keep(Rule::ReclaimMarks);
            let wait = if marks { self.wait / 2 } else { self.wait };
            let left = before.get(&key).map_or(wait, |left| left.saturating_sub(elapsed));
            if left == 0 || is_off(block) || !self.rules.keep(Rule::ReclaimWaits) {
                let (cell, uid, version) = key;
                requests.push(if marks {
                    Request::SetPhase { cell, uid, version, phase: Phase::Draining }
                } else {
                    Request::Delete { cell, uid, version }
                });
            }
            self.unowned.insert(key, left);
        }
        requests
    }
}
