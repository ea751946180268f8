//! What a holder of blocks is told, and what it wants done.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use crate::{
    cell::Cell,
    grant::Grant,
    leases::Leases,
    object::{Object, Phase, Uid, Version},
};

/// What happened. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// So much time is over since the last input, by a clock that goes on while the machine sleeps.
    Elapsed(u32),
    /// How many addresses the node wants to have ready.
    Need(Need),
    /// What is in use and at rest, read after the last grant was published.
    Leases(Leases),
    /// What the one request that was sent came to.
    Answer(Answer),
    /// The watch on the node's own blocks lives: the server said so this many milliseconds ago.
    Heard(u32),
    /// The connection is lost, or there is none: what was sent on it has no answer.
    Severed,
    /// The watch tells of a block of this node's name, as it is now.
    Changed(Object),
    /// The watch tells that a block is deleted.
    Gone {
        /// Which.
        cell: Cell,
        /// Which object.
        uid: Uid,
    },
    /// What was asked on the wire: these addresses answered.
    Wire {
        /// The block.
        cell: Cell,
        /// As which object it was asked for.
        uid: Uid,
        /// Who is there.
        answered: BTreeSet<IpAddr>,
    },
}

/// How many addresses are wanted. `high` is at least `low`, or blocks would come and go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Need {
    /// A block is taken while fewer addresses than this are free.
    pub low: u32,
    /// An empty block is given back while this many are free without it.
    pub high: u32,
}

/// What shall be done, in this order; if one cannot be done, none that follows may be, which is as if the daemon had died there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    /// Replace what is published and remembered, under the lock under which addresses are chosen.
    Publish(Arc<Grant>),
    /// Read the leases and tell of them at once.
    Look,
    /// Ask the wire for every address of the block, in the background. A question for a cell ends the one before.
    AskWire {
        /// The block.
        cell: Cell,
        /// As which object.
        uid: Uid,
    },
    /// Send to the API server. There is one request at a time.
    Send(Request),
}

/// What is asked of the API server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    /// A list of all blocks with this node's name, from the quorum: no resourceVersion. A watch goes on from it.
    Read,
    /// The names of all blocks of the network, from the server's cache, without what is in them.
    Names,
    /// `POST` of this node's block for the cell. Never apply and never `PUT`, which would take over another's. No owner reference: a Node
    /// that is deleted must not take the block along.
    Create {
        /// The cell.
        cell: Cell,
    },
    /// A merge patch of the phase with uid and resourceVersion.
    SetPhase {
        /// The block.
        cell: Cell,
        /// Which object.
        uid: Uid,
        /// In which state.
        version: Version,
        /// What it shall be.
        phase: Phase,
    },
    /// `DELETE` with preconditions on uid and resourceVersion.
    Delete {
        /// The block.
        cell: Cell,
        /// Which object.
        uid: Uid,
        /// In which state.
        version: Version,
    },
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// The blocks of this node's name, all of them.
    Read(Vec<Object>),
    /// The cells that are taken.
    Names(BTreeSet<Cell>),
    /// The block is made.
    Created {
        /// Which object it is.
        uid: Uid,
        /// In which state.
        version: Version,
    },
    /// There is one of that name (409 to a `POST`).
    Exists,
    /// The block is patched.
    Written {
        /// Its new state.
        version: Version,
    },
    /// The block is deleted.
    Deleted,
    /// It is not the object, or not the state, that was meant (409).
    Conflict,
    /// There is no such block (404).
    Absent,
    /// The server will not do it, for any other reason that it gave: nothing was done.
    Refused,
    /// No answer came: it was done, or will be, or never.
    Lost,
}
