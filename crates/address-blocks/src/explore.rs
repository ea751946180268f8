//! For explorers: two states that differ only in what uids and versions are called are one, so both can be called by their rank.

use std::sync::Arc;

use crate::{
    grant::Grant,
    holder::Holder,
    message::{Answer, Request},
    object::{Object, Uid, Version},
    reclaim::Reclaimer,
};

/// What names objects and their states.
pub trait Renamed {
    /// Shows each uid and each version, to be replaced.
    fn rename(&mut self, uids: &mut dyn FnMut(&mut Uid), versions: &mut dyn FnMut(&mut Version));
}

impl Renamed for Object {
    fn rename(&mut self, uids: &mut dyn FnMut(&mut Uid), versions: &mut dyn FnMut(&mut Version)) {
        uids(&mut self.uid);
        versions(&mut self.version);
    }
}

impl Renamed for Grant {
    fn rename(&mut self, uids: &mut dyn FnMut(&mut Uid), versions: &mut dyn FnMut(&mut Version)) {
        for block in self.blocks.values_mut() {
            uids(&mut block.uid);
            versions(&mut block.version);
        }
    }
}

impl Renamed for Request {
    fn rename(&mut self, uids: &mut dyn FnMut(&mut Uid), versions: &mut dyn FnMut(&mut Version)) {
        match self {
            Self::Read | Self::Names | Self::Create { .. } => {}
            Self::SetPhase { uid, version, .. } | Self::Delete { uid, version, .. } => {
                uids(uid);
                versions(version);
            }
        }
    }
}

impl Renamed for Answer {
    fn rename(&mut self, uids: &mut dyn FnMut(&mut Uid), versions: &mut dyn FnMut(&mut Version)) {
        match self {
            Self::Read(objects) => {
                for object in objects {
                    object.rename(uids, versions);
                }
            }
            Self::Created { uid, version } => {
                uids(uid);
                versions(version);
            }
            Self::Written { version } => versions(version),
            _ => {}
        }
    }
}

impl Renamed for Reclaimer {
    fn rename(&mut self, uids: &mut dyn FnMut(&mut Uid), versions: &mut dyn FnMut(&mut Version)) {
        let unowned = std::mem::take(&mut self.unowned);
        self.unowned = unowned
            .into_iter()
            .map(|((cell, mut uid, mut version), left)| {
                uids(&mut uid);
                versions(&mut version);
                ((cell, uid, version), left)
            })
            .collect();
    }
}

impl Renamed for Holder {
    fn rename(&mut self, uids: &mut dyn FnMut(&mut Uid), versions: &mut dyn FnMut(&mut Version)) {
        for block in self.state.blocks.values_mut() {
            uids(&mut block.uid);
            versions(&mut block.version);
        }
        if let Some(sent) = &mut self.state.sent {
            sent.request.rename(uids, versions);
        }
        if let Some(published) = &mut self.state.published {
            Arc::make_mut(published).rename(uids, versions);
        }
    }
}

impl Holder {
    /// Whether it follows its own blocks: nothing of them that is older than a watch's delay is unknown to it.
    pub fn follows(&self) -> bool {
        self.state.read
    }

    /// The request that has no answer yet.
    pub fn sent(&self) -> Option<&Request> {
        self.state.sent.as_ref().map(|sent| &sent.request)
    }

    /// What it takes for the state of its blocks, guests apart.
    pub fn known(&self) -> impl Iterator<Item = (crate::Cell, Uid, Version)> {
        let blocks = self.state.blocks.iter().filter(|(_, block)| !block.is_guest());
        blocks.map(|(cell, block)| (*cell, block.uid, block.version))
    }
}

impl PartialEq for Reclaimer {
    fn eq(&self, other: &Self) -> bool {
        self.unowned == other.unowned
    }
}

impl Eq for Reclaimer {}

impl std::hash::Hash for Reclaimer {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.unowned.hash(state);
    }
}

impl PartialEq for Holder {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
    }
}

impl Eq for Holder {}

impl std::hash::Hash for Holder {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.state.hash(state);
    }
}
