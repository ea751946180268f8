//! What was done to each sandbox and device: when, by which way in, how long it took, what came of it. A journal of lines beside the state
//! directory, for people and for counting. Nothing decides by it: it is told after the lease, and what cannot be told makes nothing fail.
//!
//! ```text
//! /run/vfhook-history/    0700, made by whoever tells first
//!   journal               what was told last: one object of JSON a line
//!   journal.1 … 3         what was told before; a file is a mebibyte long, and the oldest one goes
//!   totals                what was counted in those that are gone
//! ```
//!
//! It is not below the state directory: that has what is promised, and is empty when nothing is; whoever compares it before and after must
//! find it equal. Its owner and mode are judged by the same measure.

mod civil;
mod entry;
mod file;
mod lines;
mod moment;
mod query;
mod rotation;
mod step_kind;
mod tally;
mod when;
mod word;

pub use entry::{Entry, Had};
pub use file::History;
pub use moment::Moment;
pub use query::{Held, Subject, held_at};
pub use step_kind::StepKind;
pub use tally::{BOUNDS, Bounds, Histogram, STEP_BOUNDS, Tally};
pub use when::When;
pub use word::{Reason, Way, What};
