//! An address that stays with somebody: with a person's choice, or with a pod of a `StatefulSet` wherever it runs. It lies outside the
//! ranges of blocks, has an object of its own, and is the one address whose giving waits for the API server. A machine for one attempt to
//! take it, or to leave it.

use std::sync::Arc;

use crate::object::{Owner, Uid, Version};

/// Who has a reserved address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant {
    /// The machine that the pod is on.
    pub owner: Owner,
    /// The pod's uid: one that comes after it under its name is another.
    pub pod: Arc<str>,
}

/// The object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reservation {
    /// Which object it is.
    pub uid: Uid,
    /// Which state of it this is.
    pub version: Version,
    /// Who has the address now.
    pub tenant: Option<Tenant>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Told {
    /// The object as the quorum has it, if there is one.
    Read(Option<Reservation>),
    /// The tenant was written.
    Written,
    /// It was not: the object is in another state.
    Conflict,
    /// No answer came.
    Lost,
    /// Whether somebody answered for the address on the wire.
    Wire(bool),
    /// So many milliseconds are over.
    Elapsed(u32),
}

/// What shall be done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Todo {
    /// Read the object, from the quorum.
    Read,
    /// A merge patch of the tenant with uid and resourceVersion.
    Write {
        /// Which object.
        uid: Uid,
        /// In which state.
        version: Version,
        /// Who has it then.
        tenant: Option<Tenant>,
    },
    /// Ask for the address on the wire.
    AskWire,
    /// The sandbox may have it, now.
    Give,
    /// The address is left, or was not ours.
    End,
    /// The sandbox cannot have it.
    Refuse(Refusal),
}

/// Why a sandbox cannot have a reserved address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// There is no such reservation.
    Absent,
    /// A pod has it.
    Taken(Tenant),
    /// Somebody answers for it on the wire.
    Answers,
    /// It took longer than an attempt may: what was written may be undone by whoever takes its owner for gone.
    Late,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    tenant: Tenant,
    takes: bool,
    /// How much longer it may take.
    left: u32,
}

impl Attempt {
    /// To take the address for a pod within `limit` milliseconds, much less than an owner must be gone for.
    pub fn to_take(tenant: Tenant, limit: u32) -> (Self, Todo) {
        (Self { tenant, takes: true, left: limit }, Todo::Read)
    }

    /// To leave it, when the pod's sandbox does not have it any more, or never got it.
    pub fn to_leave(tenant: Tenant) -> (Self, Todo) {
        (Self { tenant, takes: false, left: u32::MAX }, Todo::Read)
    }

    /// Who has the address if it comes to that.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Whether it takes, or leaves.
    pub fn takes(&self) -> bool {
        self.takes
    }

    /// Takes in what happened. `has` says whether a sandbox of this machine has the address, recorded or just given. The attempt is over
    /// with [`Todo::Give`], [`Todo::End`] and [`Todo::Refuse`].
    pub fn step(&mut self, told: Told, has: bool) -> Option<Todo> {
        match told {
            Told::Elapsed(elapsed) => {
                self.left = if self.takes { self.left.saturating_sub(elapsed) } else { self.left };
                (self.left == 0).then_some(Todo::Refuse(Refusal::Late))
            }
            Told::Conflict | Told::Lost => Some(Todo::Read),
            Told::Read(Some(seen)) => Some(self.see(seen, has)),
            Told::Read(None) if self.takes => Some(Todo::Refuse(Refusal::Absent)),
            Told::Written if self.takes => Some(Todo::AskWire),
            Told::Read(None) | Told::Written => Some(Todo::End),
            Told::Wire(false) => Some(Todo::Give),
            Told::Wire(true) => Some(Todo::Refuse(Refusal::Answers)),
        }
    }

    fn see(&self, seen: Reservation, has: bool) -> Todo {
        let Reservation { uid, version, tenant } = seen;
        match tenant {
            // Another machine's, or of a sandbox of this one that has it still.
            Some(tenant) if tenant.owner != self.tenant.owner || has => {
                if self.takes {
                    Todo::Refuse(Refusal::Taken(tenant))
                } else {
                    Todo::End
                }
            }
            None if !self.takes => Todo::End,
            // Written also where it is ours already: whoever takes us for gone has sent what is for the state before.
            _ => Todo::Write { uid, version, tenant: self.takes.then(|| self.tenant.clone()) },
        }
    }
}
