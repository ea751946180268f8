//! What only who holds the table lock may do: let claims hold and free them. It must not decide who gets what.

use std::{fs, path::Path};

use super::{
    Claim, Lease, LeaseError, LeaseStore, OperationLock, Reservation, directory, lock,
    store::{read, target_of},
};
use crate::types::{Deadline, SandboxId};

/// Held while something is recorded; short, since nothing is looked at meanwhile, and shared by every vfhook on the machine.
#[derive(Debug)]
pub struct TableLock<'a> {
    pub(super) store: &'a LeaseStore,
    _lock: OperationLock,
}

impl LeaseStore {
    /// Takes the lock for recording.
    pub fn lock(&self, deadline: Deadline) -> Result<TableLock<'_>, LeaseError> {
        let lock = lock::take(&self.root.join("lock"), lock::TABLE, "the lease table", deadline)?;
        Ok(TableLock { store: self, _lock: lock })
    }

    /// Clears away what a process left that died while it made or forgot a lease. It holds nothing; this is for who makes and
    /// forgets none, and yet is to leave no trace.
    pub fn forget_the_dead(&self, deadline: Deadline) -> Result<(), LeaseError> {
        // Most often nobody died, and whoever holds the lock need not be waited for.
        if fs::symlink_metadata(self.reserving()).is_err() {
            return Ok(());
        }
        self.lock(deadline)?.forget_the_dead()
    }
}

impl TableLock<'_> {
    /// Records `lease` with all of its claims and takes the lock of its operation; `Taken` when another lease holds one of them.
    /// Nothing may have been done yet.
    pub fn reserve(&self, lease: Lease) -> Result<Reservation, LeaseError> {
        let path = self.store.root.join("lock");
        let what = format!("the lease of {}", lease.id);
        let lock = lock::take(
            &path,
            lock::byte_of(lease.serial),
            &what,
            Deadline::after(std::time::Duration::ZERO),
        )?;
        self.forget_the_dead()?;
        self.refuse_taken(&lease)?;
        directory::write(&self.store.reserving(), &self.store.encode(&lease)?)?;
        let claimed = self.claim(&lease).and_then(|()| {
            // From here on all claims hold, and not before.
            directory::rename(&self.store.reserving(), &self.store.file(&lease))
        });
        if let Err(error) = claimed {
            self.unlink(&lease);
            // That it stays is worth less than the first error.
            let _ = directory::remove(&self.store.reserving());
            return Err(error);
        }
        Ok(Reservation { lease, _lock: lock })
    }

    /// Clears away, with its links, a lease that a process was making or forgetting when it died.
    pub(super) fn forget_the_dead(&self) -> Result<(), LeaseError> {
        let path = self.store.reserving();
        match read(&path) {
            Ok(None) => Ok(()),
            Ok(Some(lease)) => self.forget(&lease),
            // It was not written to the end, and its claims were not begun.
            Err(_) => directory::remove(&path),
        }
    }

    /// Clears away all of a lease that is where it holds nothing; the file that names the rest goes last.
    fn forget(&self, lease: &Lease) -> Result<(), LeaseError> {
        self.unlink(lease);
        directory::remove(&directory::next_to(&self.store.file(lease)))?;
        directory::remove(&self.store.reserving())
    }

    /// Lets one more container hold a lease; `Taken` when it has another one.
    pub fn join(&self, lease: &mut Lease, id: &SandboxId) -> Result<(), LeaseError> {
        let claim = Claim::Id(id.clone());
        self.refuse_others(&claim, &target_of(lease))?;
        // Named before its claim is there, so that whoever ends the lease finds it even if we die in between.
        lease.passing.insert(id.clone());
        self.store.update(lease)?;
        directory::link(&target_of(lease), &self.store.link(&claim))?;
        lease.passing.remove(id);
        lease.holders.insert(id.clone());
        self.store.update(lease)
    }

    /// Takes one container out of a lease that goes on. The claim of the lease's own id stays with it.
    pub fn leave(&self, lease: &mut Lease, id: &SandboxId) -> Result<(), LeaseError> {
        let target = target_of(lease);
        let link_of = |id: &SandboxId| self.store.link(&Claim::Id(id.clone()));
        lease.passing.retain(|gone| directory::leads(&link_of(gone), &target));
        lease.holders.remove(id);
        self.store.forget_notices_of(id)?;
        lease.notices.retain(|name| name.id() != id);
        if *id == lease.id {
            return self.store.update(lease);
        }
        lease.passing.insert(id.clone());
        self.store.update(lease)?;
        directory::remove(&link_of(id))
    }

    /// Forgets a lease: everything it held is free from this moment.
    pub fn remove(&self, reservation: &Reservation) -> Result<(), LeaseError> {
        self.forget_the_dead()?;
        self.rest(&reservation.lease)?;
        let file = self.store.file(&reservation.lease);
        directory::move_away(&file, &self.store.reserving())?;
        for device in reservation.lease.devices() {
            // Only the order in which devices are given hangs on it.
            let _ = directory::stamp(&self.store.stamp(device));
        }
        self.forget(&reservation.lease)
    }

    /// Fails when another lease holds what this one is to hold.
    fn refuse_taken(&self, lease: &Lease) -> Result<(), LeaseError> {
        let target = target_of(lease);
        lease.claims().iter().try_for_each(|claim| self.refuse_others(claim, &target))
    }

    fn refuse_others(&self, claim: &Claim, target: &Path) -> Result<(), LeaseError> {
        if self.store.is_taken(claim) && !directory::leads(&self.store.link(claim), target) {
            return Err(LeaseError::Taken { claim: claim.clone() });
        }
        Ok(())
    }

    fn claim(&self, lease: &Lease) -> Result<(), LeaseError> {
        let target = target_of(lease);
        for claim in lease.claims() {
            directory::link(&target, &self.store.link(&claim))?;
        }
        Ok(())
    }

    /// Links without a lease mean nothing, and a notice nobody has; that one stays is no failure.
    fn unlink(&self, lease: &Lease) {
        for name in &lease.notices {
            let _ = self.store.forget_notice(name);
        }
        let target = target_of(lease);
        let passing = lease.passing.iter().cloned().map(Claim::Id);
        for link in lease.claims().into_iter().chain(passing).map(|claim| self.store.link(&claim)) {
            if directory::leads(&link, &target) {
                let _ = directory::remove(&link);
            }
        }
    }
}
