//! Devices that somebody else chose for a pod before there is a sandbox: kubelet, when it admits the pod. An allocation keeps its device
//! from everybody but the sandbox that it is for, and outlives that sandbox: the pod's next one has the same device. It is a symbolic
//! link that is named after the device. One that kubelet counts leads to nothing but its pool's name: so making it is one change, for
//! which nobody waits for a lock, and asking costs one system call. One of a claim leads to the claim, and holds as long as that is there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{LeaseError, LeaseStore, PreparedClaim, directory, prepared};
use crate::types::{Name, PciAddress};

/// Whom a device is kept for.
enum Kept {
    /// Whichever pod kubelet gives this device of the pool.
    Counted(Option<Name>),
    /// The pod of a claim, whose record is here.
    Claimed(PathBuf),
}

impl LeaseStore {
    /// Keeps a device of this pool for the pod that kubelet counts it for; one that is kept already stays so.
    pub fn allocate(&self, device: PciAddress, pool: &Name) -> Result<(), LeaseError> {
        directory::prepare(&self.allocations())?;
        directory::link(Path::new(pool.as_str()), &self.allocation(device))
    }

    /// Keeps a device for nobody any more.
    pub fn deallocate(&self, device: PciAddress) -> Result<(), LeaseError> {
        directory::remove(&self.allocation(device))
    }

    /// The pool as one of which a device is kept for a pod; `None` where it is not.
    pub fn allocated_of(&self, device: PciAddress) -> Result<Option<Name>, LeaseError> {
        match self.kept(device)? {
            // What is no name is no pool's.
            Some(Kept::Counted(pool)) => Ok(pool),
            Some(Kept::Claimed(path)) => {
                let devices = prepared::read(&path)?.map(|claim| claim.devices);
                let of_it =
                    devices.into_iter().flatten().find(|had| had.device.vf() == Some(device));
                Ok(of_it.map(|had| had.pool))
            }
            None => Ok(None),
        }
    }

    /// The claim that a device is kept for.
    pub fn claim_of(&self, device: PciAddress) -> Result<Option<PreparedClaim>, LeaseError> {
        match self.kept(device)? {
            Some(Kept::Claimed(path)) => prepared::read(&path),
            Some(Kept::Counted(_)) | None => Ok(None),
        }
    }

    /// Whether a device is kept for a pod.
    pub fn is_allocated(&self, device: PciAddress) -> bool {
        matches!(self.kept(device), Ok(Some(_)) | Err(_))
    }

    /// The devices that are kept for pods by kubelet's count, in order.
    pub fn counted(&self) -> Result<Vec<PciAddress>, LeaseError> {
        let links = directory::listed(&self.allocations())?;
        let named = |link: &PathBuf| link.file_name()?.to_str()?.parse().ok();
        let counted =
            |device: &PciAddress| matches!(self.kept(*device), Ok(Some(Kept::Counted(_))));
        let mut devices: Vec<PciAddress> = links.iter().filter_map(named).filter(counted).collect();
        devices.sort_unstable();
        Ok(devices)
    }

    /// Whom a device is kept for. A claim that is gone keeps nothing.
    fn kept(&self, device: PciAddress) -> Result<Option<Kept>, LeaseError> {
        let path = self.allocation(device);
        let target = match fs::read_link(&path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LeaseError::io("read", path)(error)),
        };
        if !target.starts_with("..") {
            return Ok(Some(Kept::Counted(target.to_str().and_then(|name| name.parse().ok()))));
        }
        let claim = self.allocations().join(target);
        Ok(claim.exists().then_some(Kept::Claimed(claim)))
    }

    pub(super) fn allocations(&self) -> PathBuf {
        self.root.join("allocations")
    }

    pub(super) fn allocation(&self, device: PciAddress) -> PathBuf {
        self.allocations().join(device.to_string())
    }
}
