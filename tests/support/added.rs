//! Networks that a sandbox is given and loses while it runs, on a node with other sandboxes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, test_runner::TestCaseError};
use vfhook::{
    kernel::fake::Fault,
    lease::{Lease, LeaseState},
    operation::{self, Detached, ExitCode, OperationError, Which},
    request::NetworkRequest,
    types::NetnsSource,
};

use super::{
    crash::survive,
    host::parse,
    model::{Expected, SLOTS, id_of},
    node::{Node, agrees, slot_of, wish_of},
    stage::in_time,
};

impl Node {
    /// What was added to a sandbox, and whether all of it was done.
    pub(crate) fn added_to(&self, slot: usize) -> BTreeMap<&'static str, bool> {
        let leases = self.leases_of(slot);
        let added = leases.iter().filter(|lease| is_named(lease, &leases));
        let shown = |lease: &Lease| (network_of(lease), lease.state == LeaseState::Attached);
        added.map(shown).collect()
    }

    /// What was added to a sandbox that is gone.
    pub(crate) fn left(&self) -> BTreeSet<(usize, &'static str)> {
        let leases = self.leases();
        let added = leases.iter().filter(|lease| lease.added_to.is_some());
        let left = added.filter(|lease| !is_named(lease, &leases));
        left.map(|lease| (slot_of(lease), network_of(lease))).collect()
    }

    /// Something failed: what is left of a sandbox that went, or went before, is only what it had.
    pub(crate) fn note_left(
        &mut self,
        slot: usize,
        had: &BTreeMap<&'static str, bool>,
    ) -> Result<(), TestCaseError> {
        let left = self.left();
        let may_be = |left: &(usize, &'static str)| {
            self.model.left.contains(left) || left.0 == slot && had.contains_key(left.1)
        };
        prop_assert!(left.iter().all(may_be), "{left:?} of {had:?}");
        let gone = self.model.left.difference(&left);
        prop_assert!(gone.clone().all(|(other, _)| *other == slot), "{gone:?}");
        self.model.left = left;
        Ok(())
    }

    /// Whether a network can be added to the slot's sandbox, or one be taken: it runs and has all that it began with.
    fn runs(&self, slot: usize) -> bool {
        self.model.held.get(&slot).is_some_and(|had| had.whole && had.alive)
    }

    /// A sandbox that runs is given one network more.
    pub(crate) fn add(
        &mut self,
        slot: usize,
        network: &'static str,
        fault: Option<Fault>,
    ) -> Result<(), TestCaseError> {
        if !self.runs(slot) {
            return Ok(());
        }
        let expected = self.model.add(slot, network, self.kept_from(SLOTS));
        let asked: NetworkRequest = parse(network);
        let netns = NetnsSource::Path(self.namespaces[&slot].0.clone().into());
        let (faulty, context) = (fault.is_some(), &self.context);
        let came = survive(|| {
            let mut kernel = self.host.kernel_with(fault);
            operation::add(&mut kernel, context, &netns, &asked, in_time()).map(|done| done.how)
        });
        if faulty {
            return self.after_faulty(slot, network, came.map(|came| came.map(drop)));
        }
        let came = came.unwrap();
        let agrees = agrees(&came, expected);
        prop_assert!(agrees, "slot {slot} and {network}: expected {expected:?}, came {came:?}");
        let had = self.model.held.get_mut(&slot).unwrap();
        if expected != Expected::Already {
            had.added.retain(|_, whole| *whole);
        }
        if matches!(expected, Expected::Given | Expected::Refused { .. }) {
            self.model.left.remove(&(slot, network));
        }
        if expected == Expected::Given {
            had.added.insert(network, true);
        }
        Ok(())
    }

    /// What was added is taken; what the sandbox began with is not.
    pub(crate) fn take(
        &mut self,
        slot: usize,
        network: &'static str,
        fault: Option<Fault>,
    ) -> Result<(), TestCaseError> {
        if !self.runs(slot) {
            return Ok(());
        }
        let asked: NetworkRequest = parse(network);
        let (which, faulty) = (Which::Id(parse(&id_of(slot))), fault.is_some());
        let came = survive(|| {
            let mut kernel = self.host.kernel_with(fault);
            operation::take(&mut kernel, &self.context, &which, &asked, in_time())
        });
        if faulty {
            return self.after_faulty(slot, network, came.map(|came| came.map(drop)));
        }
        let came = came.unwrap();
        let had = self.model.held.get_mut(&slot).unwrap();
        let agrees = match &came {
            Ok(Detached::Detached) => had.added.remove(network).is_some(),
            Ok(Detached::Unknown) => {
                !had.added.contains_key(network) && !had.wish.contains(network)
            }
            Err(error) => {
                error.exit_code() == ExitCode::Usage
                    && had.wish.contains(network)
                    && !had.added.contains_key(network)
            }
            _ => false,
        };
        prop_assert!(agrees, "slot {slot} and {network}: {came:?}");
        Ok(())
    }

    /// Something failed in the middle: what the sandbox began with is there, and of what was added nothing else is touched, but that what
    /// was half done may be cleared.
    fn after_faulty(
        &mut self,
        slot: usize,
        network: &'static str,
        came: Option<Result<(), OperationError>>,
    ) -> Result<(), TestCaseError> {
        let cookie = self.namespaces[&slot].1;
        if self.host.with(|machine| machine.sandbox(cookie).is_none()) {
            self.end(slot);
        }
        let has = self.added_to(slot);
        self.note_left(slot, &BTreeMap::new())?;
        let had = self.model.held.get_mut(&slot).unwrap();
        let others = |added: &BTreeMap<&'static str, bool>| -> Vec<&'static str> {
            let whole = added.iter().filter(|(name, whole)| **whole && **name != network);
            whole.map(|(name, _)| *name).collect()
        };
        prop_assert_eq!(others(&has), others(&had.added));
        prop_assert!(has.keys().all(|name| *name == network || had.added.contains_key(name)));
        if let Some(Err(error)) = came {
            let told = error.exit_code() == ExitCode::NeedsCleanup;
            prop_assert!(told || has.get(network) != Some(&false), "{error:?} leaves a half");
        }
        had.added = has;
        Ok(())
    }
}

/// Whether a lease is of what was added to a sandbox that is among `leases` and knows of it.
fn is_named(lease: &Lease, leases: &[Lease]) -> bool {
    let first = leases.iter().find(|first| lease.added_to.as_ref() == Some(&first.id));
    first.is_some_and(|first| first.additions.contains(&lease.id))
}

/// The one network of what was added.
fn network_of(lease: &Lease) -> &'static str {
    wish_of(lease).into_iter().next().unwrap()
}
