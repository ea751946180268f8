//! What takes part.

use crate::netns_support::sandbox::Sandbox;

/// A way to the end state and back.
pub(crate) trait Contender {
    /// What the tables call it.
    fn name(&self) -> &'static str;

    /// Attaches the sandbox.
    fn attach(&mut self);

    /// Takes it back.
    fn detach(&mut self);

    /// What follows a detachment and nobody waits for; it is not timed.
    fn settle(&mut self) {}

    /// The sandbox it works on, which is its own.
    fn sandbox(&self) -> &Sandbox;

    /// Whether its end state is everybody's.
    fn ends_as_others(&self) -> bool {
        true
    }

    /// How many netlink messages the last attachment and its end took, where that is known.
    fn messages(&mut self) -> [Option<u64>; 2] {
        [None; 2]
    }

    fn worker(&self) -> Worker;
}

/// Who does the work of a contender.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Worker {
    /// The bench, on its own thread and on threads that this starts.
    Bench,
    /// Programs that the bench starts and waits for.
    Children,
    /// A process that runs all the while.
    Daemon(u32),
}
