//! What must hold of a node after everything that happens on it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, test_runner::TestCaseError};
use vfhook::{
    lease::{Claim, Lease, LeaseState},
    types::{KernelText, OwnerTag},
};

use super::{
    host::CARD,
    model::{DRIVEN, Held},
    node::{Node, link_of, slot_of, wish_of},
};

impl Node {
    /// What must hold after every event.
    pub(crate) fn assert_sound(&self) -> Result<(), TestCaseError> {
        let leases = self.leases();
        let mut claimed = BTreeSet::new();
        for claim in leases.iter().flat_map(Lease::claims) {
            prop_assert!(claimed.insert(claim.clone()), "{claim} is held twice");
            prop_assert!(self.context.leases.is_taken(&claim), "{claim} does not hold");
        }
        let mut held = BTreeMap::new();
        for lease in &leases {
            let holders = lease.holders.iter().map(ToString::to_string).collect();
            let whole = lease.state == LeaseState::Attached;
            let alive = self.host.with(|machine| machine.sandbox(lease.netns.cookie).is_some());
            if whole && alive {
                self.assert_given(lease)?;
            }
            if lease.added_to.is_none() {
                let (slot, wish) = (slot_of(lease), wish_of(lease));
                let added = self.added_to(slot);
                held.insert(slot, Held { wish, holders, whole, alive, added });
            }
        }
        prop_assert_eq!(&held, &self.model.held);
        prop_assert_eq!(self.left(), self.model.left.clone());
        self.assert_rest_untouched(&claimed)
    }

    /// A lease's devices and addresses are in its namespace.
    fn assert_given(&self, lease: &Lease) -> Result<(), TestCaseError> {
        let cookie = lease.netns.cookie;
        let sandbox = self.host.with(|machine| machine.sandbox(cookie).cloned()).unwrap();
        let robbed = self.robbed.contains(&cookie);
        prop_assert!(robbed || sandbox.link("svc0").is_some());
        let masqueraded = self.host.with(|machine| !machine.masquerade.is_empty());
        prop_assert!(robbed || masqueraded, "{} relies on a table that is gone", lease.id);
        let tag = KernelText::new(OwnerTag::new(lease.id.clone()).to_string());
        for had in lease.interfaces().filter(|had| had.pool.as_str() != DRIVEN) {
            let Some(link) = link_of(&sandbox, had) else {
                prop_assert!(robbed, "{} is not there", had.interface);
                continue;
            };
            prop_assert_eq!(link.facts.parent, had.device);
            // Who mended it may have died, or been refused, between the interface and its tag or its addresses: the next look goes on.
            prop_assert!(robbed || link.facts.alias.as_ref() == Some(&tag), "{}", had.interface);
            let mut left = had.addresses.clone();
            left.retain(|address| !robbed || link.facts.addresses.contains(address));
            prop_assert_eq!(&link.facts.addresses, &left);
        }
        Ok(())
    }

    /// VFs that nobody holds are as they were, and so is everything else that no lease accounts for.
    fn assert_rest_untouched(&self, claimed: &BTreeSet<Claim>) -> Result<(), TestCaseError> {
        let mut expected = self.start.outside();
        let mut found = self.host.snapshot().outside();
        let held = claimed.iter().filter_map(|claim| match claim {
            Claim::Device(device) => Some(*device),
            _ => None,
        });
        for held in held {
            expected = expected.without(&format!("{held:?}")).without(&held.to_string());
            found = found.without(&format!("{held:?}")).without(&held.to_string());
        }
        // Each whole lease has one end of a veth pair here, half a lease may have.
        let (mut expected, mut found) =
            (expected.without("masquerade"), found.without(" link vfh"));
        if self.model.vfs_gone {
            let card = CARD.to_owned();
            expected = expected.without(&card).without("ens1f0v");
            found = found.without(&card);
        }
        let changes = expected.changes(&found.without("masquerade"));
        prop_assert!(changes.is_empty(), "{}", changes.join("\n"));
        let table = self.host.with(|machine| !machine.masquerade.is_empty());
        prop_assert!(!table || self.model.masquerades(), "a table that nobody needs");
        Ok(())
    }
}
