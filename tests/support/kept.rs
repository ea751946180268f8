//! VFs that are kept for pods before there is a sandbox, on a node with sandboxes: by claims, and by kubelet's count.

use std::collections::BTreeSet;

use proptest::{prelude::*, test_runner::TestCaseError};
use vfhook::{
    kernel::fake::Fault,
    lease::{Claim, Lease, LeaseState, PreparedClaim},
    operation,
    request::NetworkRequest,
    types::{Allotted, PciAddress},
};

use super::{
    host::{VFS, parse, vf},
    model::{Expected, Wish, id_of},
    node::{Node, slot_of},
    stage::claim,
};

impl Node {
    /// How many VFs are kept for pods that none of the other sandboxes has.
    pub(crate) fn kept_from(&self, slot: usize) -> usize {
        let others = self.leases().into_iter().filter(|lease| slot_of(lease) != slot);
        let had: BTreeSet<PciAddress> =
            others.flat_map(|lease| lease.devices().collect::<Vec<_>>()).collect();
        let kept = (0..VFS).map(vf).filter(|device| self.context.leases.is_allocated(*device));
        kept.filter(|device| !had.contains(device)).count()
    }

    /// A VF is chosen for a pod, or there is no pod for it any more: by a claim or by kubelet's count.
    pub(crate) fn keep(&self, number: usize, keep: bool) -> Result<(), TestCaseError> {
        if is_claimed(number) && keep {
            return self.prepare(number);
        }
        self.count(number, keep);
        prop_assert_eq!(self.context.leases.is_allocated(vf(number)), keep);
        Ok(())
    }

    /// What never fails: kubelet's count, and the end of a claim.
    fn count(&self, number: usize, keep: bool) {
        let (leases, device) = (&self.context.leases, vf(number));
        if is_claimed(number) {
            operation::unprepare_claim(&self.context, &claim_of(number).uid).unwrap();
        } else if keep {
            leases.allocate(device, &parse("fast")).unwrap();
        } else {
            leases.deallocate(device).unwrap();
        }
    }

    /// Who has a VF.
    fn holder_of(&self, device: PciAddress) -> Option<Lease> {
        self.context.leases.find(&Claim::Device(device)).unwrap()
    }

    /// A VF is kept for a claim that nobody has it before.
    fn prepare(&self, number: usize) -> Result<(), TestCaseError> {
        let (leases, device) = (&self.context.leases, vf(number));
        let is_kept = leases.is_allocated(device);
        let had = self.holder_of(device);
        // What has not come home wholly is nobody's, whoever had it.
        let may_have =
            had.is_none_or(|had| is_kept && !matches!(had.state, LeaseState::NeedsCleanup { .. }));
        let mut kernel = self.host.kernel();
        let came = operation::prepare_claim(&mut kernel, &self.context, &claim_of(number));
        let expected = may_have && !self.model.vfs_gone;
        prop_assert_eq!(came.is_ok(), expected, "VF {}: {:?}", number, came);
        prop_assert_eq!(leases.is_allocated(device), expected || is_kept);
        Ok(())
    }

    /// The pod of a claim, if its VF is kept, asks in this sandbox: it has that one or none.
    pub(crate) fn claimed(
        &mut self,
        slot: usize,
        number: usize,
        fault: Option<Fault>,
    ) -> Result<(), TestCaseError> {
        let device = vf(number);
        if !is_claimed(number) || !self.context.leases.is_allocated(device) {
            return Ok(());
        }
        let chosen = Some(Allotted::Vf(device));
        let requests = [NetworkRequest { device: chosen, ..parse("storage") }];
        let wish = Wish::from(["storage"]);
        if fault.is_some() {
            let asked = self.ask(slot, &id_of(slot), &requests, fault);
            return self.after_fault(slot, asked.map(|done| done.map(drop)).as_ref(), Some(&wish));
        }
        let has = |lease: &Lease| lease.devices().any(|had| had == device);
        let is_anothers = self.leases().iter().any(|lease| slot_of(lease) != slot && has(lease));
        let expected = match self.model.attach(slot, &wish, 0) {
            Expected::Already if !self.lease_of(slot).is_some_and(|lease| has(&lease)) => {
                Expected::Conflict
            }
            Expected::Given if is_anothers => {
                Expected::Refused { exhausted: true, no_devices: false }
            }
            expected => expected,
        };
        self.attach_as(slot, &wish, &requests, expected)?;
        let given = self.lease_of(slot).filter(|_| matches!(expected, Expected::Given));
        prop_assert!(given.is_none_or(|lease| has(&lease)), "it has another VF than its claim's");
        Ok(())
    }
}

/// Whether a VF is kept for claims: one is for kubelet's count.
fn is_claimed(number: usize) -> bool {
    number != 1
}

/// The claim of a VF.
fn claim_of(number: usize) -> PreparedClaim {
    claim(&format!("claim-{number}"), &[number])
}
