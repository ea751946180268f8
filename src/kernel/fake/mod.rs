//! A machine in memory that obeys the rules of the real one, step by step, and fails where a test says so.
//!
//! What is modelled is what a plan relies on: names clash, a move takes a link down and its addresses and routes
//! along, a namespace that dies gives devices back under odd names, drivers refuse. Nothing here is scripted
//! answers: a test sets a machine up, lets an operation work on it, and compares whole states.

mod addressing;
mod bond;
mod build;
mod card;
mod configure_vf;
mod death;
mod entered;
mod fault;
mod kernel;
mod link;
mod machine;
mod make_link;
mod namespace;
mod observe;
mod perform;
mod return_device;
mod scene;
mod services;
mod session;
mod snapshot;
mod take_device;
mod translation;
mod vfio;
mod whole_device;
mod witness;

use std::sync::{Arc, Mutex, PoisonError};

pub use build::{CardTemplate, plain_link};
pub use card::{Card, Driver, Vf};
pub use fault::{Died, Effect, Fault, When};
pub use kernel::FakeKernel;
pub use link::{FakeLink, LinkKind};
pub use machine::Machine;
pub use namespace::Namespace;
pub use snapshot::Snapshot;
pub use translation::{Translation, Translations};
use witness::Witness;

/// A machine that several operations, and the world around them, work on. Outlives each of them, as a machine does.
#[derive(Debug, Clone, Default)]
pub struct FakeHost {
    machine: Arc<Mutex<Machine>>,
    witness: Witness,
}

impl FakeHost {
    /// A host with this machine in it.
    pub fn new(machine: Machine) -> Self {
        Self { machine: Arc::new(Mutex::new(machine)), witness: Witness::default() }
    }

    /// The same host, whose kernels from here on tell `witness` of each look, by the name of the question, before they take it.
    #[must_use]
    pub fn watched(&self, witness: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { machine: Arc::clone(&self.machine), witness: Witness::new(witness) }
    }

    /// A kernel for one operation.
    pub fn kernel(&self) -> FakeKernel {
        self.kernel_with([])
    }

    /// A kernel for one operation during which things go wrong.
    pub fn kernel_with(&self, faults: impl IntoIterator<Item = Fault>) -> FakeKernel {
        FakeKernel::new(self.clone(), faults.into_iter().collect())
    }

    /// Looks at the machine, or does to it what the world does.
    pub fn with<T>(&self, work: impl FnOnce(&mut Machine) -> T) -> T {
        // An operation that dies by unwinding leaves the machine as its last step did, as a dying process does.
        work(&mut self.machine.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, look: &str) {
        self.witness.tell(look);
    }

    /// The whole state.
    pub fn snapshot(&self) -> Snapshot {
        self.with(|machine| Snapshot::of(machine))
    }

    /// A machine of its own in the same state.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::new(self.with(|machine| machine.clone()))
    }
}
