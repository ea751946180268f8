//! The API server, as far as blocks know it.

use std::collections::{BTreeMap, BTreeSet};

use address_blocks::{Answer, Cell, FORMAT, Object, Owner, Phase, Request, Uid, Version};

use super::scene::Scene;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) objects: BTreeMap<Cell, Object>,
    /// The machines that have a Node.
    pub(crate) nodes: BTreeSet<Owner>,
    pub(crate) version: Version,
    pub(crate) next_uid: Uid,
}

impl Server {
    pub(crate) fn new(nodes: BTreeSet<Owner>) -> Self {
        Self { objects: BTreeMap::new(), nodes, version: Version(1), next_uid: Uid(1) }
    }

    /// Does what is asked; `at` is the host that asks, unless it is the elected one.
    pub(crate) fn answer(&mut self, scene: &Scene, at: Option<usize>, request: &Request) -> Answer {
        match *request {
            Request::Read => {
                let node = &scene.settings[at.unwrap()].owner.node;
                let own = self.objects.values().filter(|object| object.owner.node == *node);
                Answer::Read(own.cloned().collect())
            }
            Request::Names => Answer::Names(self.objects.keys().copied().collect()),
            Request::Create { cell } => {
                if self.objects.contains_key(&cell) {
                    return Answer::Exists;
                }
                self.create(cell, scene.settings[at.unwrap()].owner.clone())
            }
            Request::SetPhase { cell, uid, version, phase } => {
                self.patch(cell, uid, version, |object| object.phase = phase)
            }
            Request::Delete { cell, uid, version } => match self.objects.get(&cell) {
                None => Answer::Absent,
                Some(object)
                    if object.uid == uid && (object.version == version || !scene.versions) =>
                {
                    self.version.0 += 1;
                    self.objects.remove(&cell);
                    Answer::Deleted
                }
                Some(_) => Answer::Conflict,
            },
        }
    }

    fn create(&mut self, cell: Cell, owner: Owner) -> Answer {
        self.version.0 += 1;
        let (uid, version) = (self.next_uid, self.version);
        self.next_uid.0 += 1;
        let object = Object { cell, uid, version, owner, format: FORMAT, phase: Phase::Active };
        self.objects.insert(cell, object);
        Answer::Created { uid, version }
    }

    fn patch(
        &mut self,
        cell: Cell,
        uid: Uid,
        version: Version,
        change: impl Fn(&mut Object),
    ) -> Answer {
        let next = Version(self.version.0 + 1);
        match self.objects.get_mut(&cell) {
            None => Answer::Absent,
            Some(object) if object.uid == uid && version == object.version => {
                change(object);
                (self.version, object.version) = (next, next);
                Answer::Written { version: next }
            }
            Some(_) => Answer::Conflict,
        }
    }

    /// The Node goes; where blocks have it as their owner, they go along.
    pub(crate) fn delete_node(&mut self, scene: &Scene, at: usize) {
        let owner = &scene.settings[at].owner;
        self.nodes.remove(owner);
        if scene.owner_references {
            self.objects.retain(|_, object| object.owner != *owner);
        }
    }
}
