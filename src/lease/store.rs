//! Reads and writes leases, and answers who holds what.

use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{Claim, Lease, LeaseError, OperationLock, VERSION, directory, lock};
use crate::types::{Deadline, InterfaceName, KernelText, PciAddress};

/// The state directory.
#[derive(Debug, Clone)]
pub struct LeaseStore {
    pub(super) root: PathBuf,
}

/// A lease with the lock of its operation.
#[derive(Debug)]
pub struct Reservation {
    /// The lease as last written.
    pub lease: Lease,
    pub(super) _lock: OperationLock,
}

/// A number for a new lease that no other has: random, so that nothing need be counted or kept.
pub fn new_serial() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl LeaseStore {
    /// Opens the directory at `root`, making it where it is absent.
    pub fn open(root: &Path) -> Result<Self, LeaseError> {
        directory::prepare(root)?;
        for part in ["leases", "claims", "returned"] {
            directory::prepare(&root.join(part))?;
        }
        lock::make(&root.join("lock"))?;
        Ok(Self { root: root.to_owned() })
    }

    /// Opens the directory at `root` and makes nothing; `None` where there is none yet and one could be made.
    pub fn open_existing(root: &Path) -> Result<Option<Self>, LeaseError> {
        let parts = [root.to_owned(), root.join("leases"), root.join("claims")];
        for part in &parts {
            if !directory::inspect(part)? {
                return Ok(None);
            }
        }
        Ok(Some(Self { root: root.to_owned() }))
    }

    /// Waits until nobody works on the lease that holds `claim`, then reads it; `None` when nothing holds it by then.
    pub fn reserve_existing(
        &self,
        claim: &Claim,
        deadline: Deadline,
    ) -> Result<Option<Reservation>, LeaseError> {
        let Some(seen) = self.find(claim)? else { return Ok(None) };
        let what = format!("the lease of {}", seen.id);
        let lock =
            lock::take(&self.root.join("lock"), lock::byte_of(seen.serial), &what, deadline)?;
        let now = self.find(claim)?.filter(|now| now.serial == seen.serial);
        Ok(now.map(|lease| Reservation { lease, _lock: lock }))
    }

    /// Takes the lock of a lease that nobody works on, and reads it again; `None` when somebody does, or it is gone.
    pub fn reserve_idle(&self, seen: &Lease) -> Result<Option<Reservation>, LeaseError> {
        let now = Deadline::after(std::time::Duration::ZERO);
        match self.reserve_existing(&Claim::Id(seen.id.clone()), now) {
            Ok(found) => Ok(found.filter(|found| found.lease.serial == seen.serial)),
            Err(LeaseError::Busy { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The lease that holds `claim`.
    pub fn find(&self, claim: &Claim) -> Result<Option<Lease>, LeaseError> {
        read(&self.link(claim))
    }

    /// Whether any lease holds `claim`.
    pub fn is_taken(&self, claim: &Claim) -> bool {
        // Follows the link: a claim whose lease is gone does not hold.
        fs::metadata(self.link(claim)).is_ok()
    }

    /// When a device came back, as far as one did: seconds and nanoseconds, to be compared with each other's.
    pub fn came_back(&self, device: PciAddress) -> Option<(i64, i64)> {
        let stamped = fs::symlink_metadata(self.stamp(device)).ok()?;
        Some((stamped.mtime(), stamped.mtime_nsec()))
    }

    pub(super) fn stamp(&self, device: PciAddress) -> PathBuf {
        self.root.join("returned").join(device.to_string())
    }

    /// Whether a lease other than `lease` has an address of the service path.
    pub fn others_have_sources(&self, lease: &Lease) -> Result<bool, LeaseError> {
        let own = target_of(lease);
        Ok(self.links("source.")?.iter().any(|link| {
            fs::metadata(link).is_ok() && fs::read_link(link).is_ok_and(|target| target != own)
        }))
    }

    /// Every lease, in order of its file's name; the unreadable ones as errors beside them.
    pub fn all(&self) -> Result<(Vec<Lease>, Vec<LeaseError>), LeaseError> {
        Ok(read_all(&self.entries("leases")?))
    }

    /// At most `most` leases, from the one after `last` on; `last` is set to where to go on, or to the beginning again.
    pub fn next(
        &self,
        last: &mut Option<PathBuf>,
        most: usize,
    ) -> Result<(Vec<Lease>, Vec<LeaseError>), LeaseError> {
        let mut paths = self.entries("leases")?;
        if let Some(last) = last {
            paths.retain(|path| path > last);
        }
        let rest = paths.split_off(most.min(paths.len()));
        *last = paths.last().filter(|_| !rest.is_empty()).cloned();
        Ok(read_all(&paths))
    }

    /// The lease whose pair of interfaces has an end of this name on the host, as far as the name tells.
    pub fn with_pair(&self, name: &KernelText) -> Result<Option<Lease>, LeaseError> {
        let digits = name.as_bytes().get(InterfaceName::OURS.len()..).unwrap_or_default();
        let mut leases = self.entries("leases")?;
        leases.retain(|path| {
            let file = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
            digits.len() == 12 && file.ends_with(digits)
        });
        leases.first().map_or(Ok(None), |path| read(path))
    }

    /// Writes what a lease has become.
    pub fn update(&self, lease: &Lease) -> Result<(), LeaseError> {
        directory::replace(&self.file(lease), &self.encode(lease)?)
    }

    pub(super) fn encode(&self, lease: &Lease) -> Result<Vec<u8>, LeaseError> {
        let mut text = serde_json::to_vec_pretty(lease).map_err(|source| LeaseError::Io {
            operation: "encode",
            path: self.file(lease),
            source: source.into(),
        })?;
        text.push(b'\n');
        Ok(text)
    }

    /// Where a lease is before its claims hold, and once they do not any more. One at a time: whoever puts one there holds the
    /// table lock.
    pub(super) fn reserving(&self) -> PathBuf {
        self.root.join("reserving")
    }

    fn entries(&self, part: &str) -> Result<Vec<PathBuf>, LeaseError> {
        let path = self.root.join(part);
        let listed = fs::read_dir(&path).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
        });
        let mut paths = listed.map_err(LeaseError::io("list", path))?;
        paths.retain(|path| {
            path.extension().is_none_or(|extension| extension.as_bytes() != b"next")
        });
        paths.sort();
        Ok(paths)
    }

    /// The links of all claims of one kind.
    pub(super) fn links(&self, kind: &str) -> Result<Vec<PathBuf>, LeaseError> {
        let mut links = self.entries("claims")?;
        links.retain(|path| {
            path.file_name().is_some_and(|name| name.as_bytes().starts_with(kind.as_bytes()))
        });
        Ok(links)
    }

    pub(super) fn file(&self, lease: &Lease) -> PathBuf {
        self.root.join("leases").join(file_name(lease))
    }

    pub(super) fn link(&self, claim: &Claim) -> PathBuf {
        self.root.join("claims").join(claim.to_string())
    }
}

/// The leases at `paths`; the unreadable ones as errors beside them.
fn read_all(paths: &[PathBuf]) -> (Vec<Lease>, Vec<LeaseError>) {
    let (mut leases, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match read(path) {
            Ok(lease) => leases.extend(lease),
            Err(error) => errors.push(error),
        }
    }
    (leases, errors)
}

/// The lease at `path`; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Lease>, LeaseError> {
    #[derive(Deserialize)]
    struct Format {
        version: u32,
    }
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LeaseError::io("read", path)(error)),
    };
    let unreadable = |source| LeaseError::Unreadable { path: path.to_owned(), source };
    let format: Format = serde_json::from_slice(&text).map_err(unreadable)?;
    if format.version > VERSION {
        return Err(LeaseError::Future { path: path.to_owned(), found: format.version });
    }
    serde_json::from_slice(&text).map(Some).map_err(unreadable)
}

/// Where a claim of `lease` leads.
pub(super) fn target_of(lease: &Lease) -> PathBuf {
    Path::new("..").join("leases").join(file_name(lease))
}

fn file_name(lease: &Lease) -> String {
    format!("{}-{:016x}", lease.id, lease.serial)
}
