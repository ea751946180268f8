//! What happens elsewhere and a holder is to hear of.

use address_blocks::{Answer, Input};

/// One of it.
#[derive(Debug)]
pub(super) enum Event {
    /// To the request of this number.
    Answered(u64, Said),
    /// In the watch of this number.
    Followed(u64, Followed),
    /// To a question on the wire.
    Wire(Input),
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) answer: Answer,
    /// The version of the list that was read: a watch goes on from there.
    pub(super) version: Option<String>,
}

/// What a watch tells.
#[derive(Debug)]
pub(super) enum Followed {
    /// A sign of life.
    Heard,
    /// A block is another.
    Input(Input),
    /// There is no connection.
    Ended {
        /// Whether that is as it was asked for.
        in_time: bool,
    },
}
