//! Does exactly what a plan says, or takes it back. Makes no choice: a choice needed here is a step missing in the plan.

mod outcome;
mod rollback;
mod run;
mod timed;

pub use outcome::{Failure, Outcome};
pub use rollback::{Undone, undo, undo_telling};
pub use run::run;
