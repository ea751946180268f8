//! What only who holds the table lock may do: let claims hold and free them. It must not decide who gets what.

use std::{fs, path::Path};

use super::{
    Claim, Lease, LeaseError, LeaseStore, OperationLock, Reservation, directory, lock,
    store::{read, target_of},
};
use crate::types::Deadline;

/// Held while something is recorded; short, since nothing is looked at meanwhile, and shared by every vfhook on the machine.
#[derive(Debug)]
pub struct TableLock<'a> {
    store: &'a LeaseStore,
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

    /// Writes what a lease has become, with claims that it did not have before.
    pub fn update(&self, lease: &Lease) -> Result<(), LeaseError> {
        self.refuse_taken(lease)?;
        self.claim(lease)?;
        self.store.update(lease)
    }

    /// Gives up one claim of a lease that goes on.
    pub fn give_up(&self, claim: &Claim) -> Result<(), LeaseError> {
        directory::remove(&self.store.link(claim))
    }

    /// Forgets a lease: everything it held is free from this moment.
    pub fn remove(&self, reservation: &Reservation) -> Result<(), LeaseError> {
        self.forget_the_dead()?;
        let file = self.store.file(&reservation.lease);
        directory::move_away(&file, &self.store.reserving())?;
        for device in reservation.lease.networks.iter().filter_map(|had| had.device) {
            // Only the order in which devices are given hangs on it.
            let _ = directory::stamp(&self.store.stamp(device));
        }
        self.forget(&reservation.lease)
    }

    /// Fails when another lease holds what this one is to hold.
    fn refuse_taken(&self, lease: &Lease) -> Result<(), LeaseError> {
        let target = target_of(lease);
        let is_others =
            |claim: &Claim| self.store.is_taken(claim) && !leads(&self.store.link(claim), &target);
        match lease.claims().into_iter().find(is_others) {
            Some(claim) => Err(LeaseError::Taken { claim }),
            None => Ok(()),
        }
    }

    fn claim(&self, lease: &Lease) -> Result<(), LeaseError> {
        let target = target_of(lease);
        for claim in lease.claims() {
            let link = self.store.link(&claim);
            if leads(&link, &target) {
                continue;
            }
            directory::remove(&link)?;
            directory::link(&target, &link)?;
        }
        Ok(())
    }

    /// Links without a lease mean nothing; that one stays is no failure.
    fn unlink(&self, lease: &Lease) {
        let target = target_of(lease);
        let known = lease.claims().iter().map(|claim| self.store.link(claim)).collect::<Vec<_>>();
        // A process that died while a container joined or left may have linked one that the record does not name.
        let joined = self.store.links("id.").unwrap_or_default();
        for link in known.iter().chain(&joined) {
            if leads(link, &target) {
                let _ = directory::remove(link);
            }
        }
    }
}

fn leads(link: &Path, target: &Path) -> bool {
    fs::read_link(link).is_ok_and(|found| found == target)
}
