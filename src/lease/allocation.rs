//! Devices that somebody else chose for a pod before there is a sandbox: kubelet, when it admits the pod. An allocation keeps its device
//! from everybody but the sandbox that it is for, and outlives that sandbox: the pod's next one has the same device. It is a symbolic
//! link that is named after the device and leads to nothing but its pool's name: so making one is one change, for which nobody waits for a
//! lock, and asking costs one system call.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{LeaseError, LeaseStore, directory};
use crate::types::{Name, PciAddress};

impl LeaseStore {
    /// Keeps a device of this pool for a pod; one that is kept already stays so.
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
        let path = self.allocation(device);
        match fs::read_link(&path) {
            // What is no name is no pool's.
            Ok(target) => Ok(target.to_str().and_then(|name| name.parse().ok())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LeaseError::io("read", path)(error)),
        }
    }

    /// Whether a device is kept for a pod.
    pub fn is_allocated(&self, device: PciAddress) -> bool {
        fs::symlink_metadata(self.allocation(device)).is_ok()
    }

    /// The devices that are kept for pods, in order.
    pub fn allocated(&self) -> Result<Vec<PciAddress>, LeaseError> {
        let path = self.allocations();
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LeaseError::io("list", path)(error)),
        };
        let mut devices = Vec::new();
        for entry in entries {
            let name = entry.map_err(LeaseError::io("list", &path))?.file_name();
            devices.extend(name.to_str().and_then(|name| name.parse::<PciAddress>().ok()));
        }
        devices.sort_unstable();
        Ok(devices)
    }

    fn allocations(&self) -> PathBuf {
        self.root.join("allocations")
    }

    fn allocation(&self, device: PciAddress) -> PathBuf {
        self.allocations().join(device.to_string())
    }
}
