//! One block that a node has, and how far it is. It decides nothing.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    grant::{Granted, Standing},
    object::{Object, Phase, Uid, Version},
    setting::Waits,
};

/// How far a block is with its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// A former owner may not know yet that it lost the block, for so long.
    Settling(u32),
    /// The wire is asked.
    Asking,
    /// Its addresses are given.
    Open,
    /// Nothing is given from it, and it goes back; whether it is empty was seen since, or not yet.
    Leaving(Option<bool>),
    /// It is not ours any more; whether a sandbox has something of it was seen since, or not yet.
    Guest { used: Option<bool>, may_take_again: bool },
}

/// A block.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Holding {
    pub(crate) uid: Uid,
    pub(crate) version: Version,
    /// What the server has, as far as it was told.
    pub(crate) phase: Phase,
    pub(crate) stage: Stage,
    /// What somebody else answered for, and when it is asked for again.
    pub(crate) blocked: BTreeMap<IpAddr, u32>,
    /// How much longer it is kept while it is empty.
    pub(crate) idle: u32,
}

impl Holding {
    /// A block that the server has for us, at a stage.
    pub(crate) fn of(object: &Object, stage: Stage, idle: u32) -> Self {
        Self::new(object.uid, object.version, object.phase, stage, idle)
    }

    pub(crate) fn new(uid: Uid, version: Version, phase: Phase, stage: Stage, idle: u32) -> Self {
        Self { uid, version, phase, stage, blocked: BTreeMap::new(), idle }
    }

    /// What a former daemon published of it, and how it goes on from there; `recent` if that may be given from still.
    pub(crate) fn remembered(granted: &Granted, recent: bool, waits: &Waits) -> Self {
        let stage = match granted.standing {
            Standing::Open if recent => Stage::Open,
            Standing::Open | Standing::Unchecked => Stage::Settling(waits.settle),
            Standing::Leaving => Stage::Leaving(None),
            Standing::Guest => Stage::Guest { used: None, may_take_again: true },
        };
        let mut holding = Self::new(granted.uid, granted.version, Phase::Active, stage, waits.idle);
        holding.blocked = granted.blocked.iter().map(|at| (*at, waits.ask_again)).collect();
        holding
    }

    pub(crate) fn granted(&self) -> Granted {
        let standing = match self.stage {
            Stage::Open => Standing::Open,
            Stage::Settling(_) | Stage::Asking => Standing::Unchecked,
            Stage::Leaving(_) => Standing::Leaving,
            Stage::Guest { .. } => Standing::Guest,
        };
        let blocked = self.blocked.keys().copied().collect();
        Granted { uid: self.uid, version: self.version, standing, blocked }
    }

    pub(crate) fn is_guest(&self) -> bool {
        matches!(self.stage, Stage::Guest { .. })
    }

    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.stage, Stage::Leaving(_))
    }

    /// Whether addresses are given, or will be without more from the server than is on its way.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.stage, Stage::Settling(_) | Stage::Asking | Stage::Open)
    }

    /// Whether the leases must be looked at before anything else becomes of it.
    pub(crate) fn waits_for_look(&self) -> bool {
        matches!(self.stage, Stage::Leaving(None) | Stage::Guest { used: None, .. })
    }

    /// The next moment at which something is over by itself.
    pub(crate) fn next_wait(&self) -> Option<u32> {
        let settle = if let Stage::Settling(left) = self.stage { Some(left) } else { None };
        let idle = self.is_kept().then_some(self.idle);
        let waits = settle.into_iter().chain(idle);
        waits.chain(self.blocked.values().copied()).filter(|left| *left > 0).min()
    }

    pub(crate) fn pass(&mut self, elapsed: u32) {
        if let Stage::Settling(left) = &mut self.stage {
            *left = left.saturating_sub(elapsed);
        }
        self.idle = self.idle.saturating_sub(elapsed);
        for left in self.blocked.values_mut() {
            *left = left.saturating_sub(elapsed);
        }
    }
}
