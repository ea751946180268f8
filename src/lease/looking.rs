//! Keeps what is looked at, before anything of it is recorded, from being chosen or changed by others meanwhile: each thing has a
//! lock of its own, so that a look makes nobody wait who looks elsewhere. It must not decide who looks at what.

use std::time::Duration;

use super::{Lease, LeaseError, LeaseStore, OperationLock, lock};
use crate::types::{Deadline, PciAddress};

impl LeaseStore {
    /// Keeps others from giving anything to a namespace that has no lease.
    pub fn look_into(&self, netns: u64, deadline: Deadline) -> Result<OperationLock, LeaseError> {
        let what = format!("the network namespace with cookie {netns}");
        lock::take(&self.root.join("lock"), lock::byte_of_netns(netns), &what, deadline)
    }

    /// Keeps others from choosing a device; `None` while another does. Whoever records a claim on a device has this lock: a device
    /// that nobody claims is nobody's as long as it is held.
    pub fn look_at(&self, device: PciAddress) -> Result<Option<OperationLock>, LeaseError> {
        lock::take_if_free(&self.root.join("lock"), lock::byte_of_function(device))
    }

    /// Waits until nobody looks at a device. Whoever waits holds no other device: two who wait for each other's would both wait for
    /// nothing.
    pub fn wait_for(&self, device: PciAddress, deadline: Deadline) -> Result<(), LeaseError> {
        let what = format!("VF {device}");
        lock::take(&self.root.join("lock"), lock::byte_of_function(device), &what, deadline)
            .map(drop)
    }

    /// Whether somebody works on a lease.
    pub fn is_worked_on(&self, lease: &Lease) -> Result<bool, LeaseError> {
        lock::is_taken(&self.root.join("lock"), lock::byte_of(lease.serial))
    }

    /// Keeps the VFs of a card from being given, as long as the lock is held; `Busy` when another does. Those that are looked at may
    /// be given still: whoever calls this waits for each once, and whoever looks at one asks [`LeaseStore::is_withheld`] thereafter.
    pub fn withhold(&self, card: PciAddress) -> Result<OperationLock, LeaseError> {
        let now = Deadline::after(Duration::ZERO);
        let what = format!("the VFs of {card}, to make them anew,");
        lock::take(&self.root.join("lock"), lock::byte_of_function(card), &what, now)
    }

    /// Whether somebody keeps the VFs of a card from being given.
    pub fn is_withheld(&self, card: PciAddress) -> Result<bool, LeaseError> {
        lock::is_taken(&self.root.join("lock"), lock::byte_of_function(card))
    }
}
