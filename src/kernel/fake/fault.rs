//! What goes wrong, and at which step.

use nix::errno::Errno;

use crate::plan::step::Step;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// At which steps.
    pub when: When,
    /// What happens there.
    pub effect: Effect,
}

/// Which steps of an operation, counted from 1 and undo steps among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// That one.
    Step(usize),
    /// That one and every later one.
    From(usize),
    /// Every one.
    Always,
    /// Each that says exactly this.
    Is(Box<Step>),
}

/// What happens at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is refused and does nothing.
    Refuse(Errno),
    /// It does its work and says that it was refused.
    RefuseAfterwards(Errno),
    /// It is done twice.
    Repeat,
    /// It takes until the deadline has passed.
    Stall,
    /// The process dies before it.
    DieBefore,
    /// The process dies after it.
    DieAfterwards,
    /// Those who live in the sandbox go before it.
    EndSandbox,
}

/// What a process that dies by a fault unwinds with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Died;

impl Fault {
    /// `effect` at step number `number`.
    pub fn at(number: usize, effect: Effect) -> Self {
        Self { when: When::Step(number), effect }
    }

    /// `effect` at step number `number` and all later ones.
    pub fn from(number: usize, effect: Effect) -> Self {
        Self { when: When::From(number), effect }
    }

    /// `effect` at every step.
    pub fn always(effect: Effect) -> Self {
        Self { when: When::Always, effect }
    }

    /// `effect` at each step that says exactly `step`.
    pub fn on(step: &Step, effect: Effect) -> Self {
        Self { when: When::Is(Box::new(step.clone())), effect }
    }

    pub(super) fn strikes(&self, number: usize, step: &Step) -> bool {
        match &self.when {
            When::Step(at) => number == *at,
            When::From(at) => number >= *at,
            When::Always => true,
            When::Is(wanted) => **wanted == *step,
        }
    }
}

/// Ends the process as far as a test sees it: everything it held is dropped, nothing else is done.
pub(super) fn die() -> ! {
    // Not a panic: that would print.
    std::panic::resume_unwind(Box::new(Died))
}
