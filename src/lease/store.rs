//! Reads and writes leases, and answers who holds what.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{Claim, Lease, LeaseError, OperationLock, VERSION, directory, lock};
use crate::{
    history::History,
    types::{Deadline, InterfaceName, KernelText, PciAddress},
};

/// What most claims' names take, and the folder before them.
const ROOM_FOR_CLAIM: usize = 80;

/// The state directory.
#[derive(Debug, Clone)]
pub struct LeaseStore {
    pub(super) root: PathBuf,
    pub(super) history: History,
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
        for part in ["leases", "claims", "returned", "notices"] {
            directory::prepare(&root.join(part))?;
        }
        lock::make(&root.join("lock"))?;
        Ok(Self::at(root))
    }

    /// Opens the directory at `root` and makes nothing; `None` where there is none yet and one could be made.
    pub fn open_existing(root: &Path) -> Result<Option<Self>, LeaseError> {
        let parts = [root.to_owned(), root.join("leases"), root.join("claims")];
        for part in &parts {
            if !directory::inspect(part)? {
                return Ok(None);
            }
        }
        Ok(Some(Self::at(root)))
    }

    fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), history: History::beside(root) }
    }

    /// Waits until nobody works on the lease that holds `claim`, then reads it; `None` when nothing holds it by then.
    pub fn reserve_existing(
        &self,
        claim: &Claim,
        deadline: Deadline,
    ) -> Result<Option<Reservation>, LeaseError> {
        let path = self.link(claim);
        let Some(text) = text_at(&path)? else { return Ok(None) };
        let seen = parse(&path, &text)?;
        let what = format!("the lease of {}", seen.id);
        let lock =
            lock::take(&self.root.join("lock"), lock::byte_of(seen.serial), &what, deadline)?;
        let now = match text_at(&path)? {
            None => None,
            // The serial number is in it, so it is that lease.
            Some(now) if now == text => Some(seen),
            Some(now) => Some(parse(&path, &now)?).filter(|now| now.serial == seen.serial),
        };
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

    /// Every lease at once, in order of its file's name; the unreadable ones as errors beside them. A lease has some ten kilobytes: who
    /// needs no two at a time takes [`LeaseStore::each`].
    pub fn all(&self) -> Result<(Vec<Lease>, Vec<LeaseError>), LeaseError> {
        let (mut leases, mut errors) = (Vec::new(), Vec::new());
        for lease in self.each()? {
            match lease {
                Ok(lease) => leases.push(lease),
                Err(error) => errors.push(error),
            }
        }
        Ok((leases, errors))
    }

    /// Every lease, each read when it is asked for, in order of its file's name.
    pub fn each(&self) -> Result<Leases, LeaseError> {
        Ok(Leases(self.entries("leases")?.into_iter()))
    }

    /// At most `most` leases, from the one after `last` on; `last` is set to where to go on, or to the beginning again.
    pub fn next(&self, last: &mut Option<PathBuf>, most: usize) -> Result<Leases, LeaseError> {
        let mut paths = self.entries("leases")?;
        if let Some(last) = last {
            paths.retain(|path| path > last);
        }
        let rest = paths.split_off(most.min(paths.len()));
        *last = paths.last().filter(|_| !rest.is_empty()).cloned();
        Ok(Leases(paths.into_iter()))
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
        let mut text = serde_json::to_vec(lease).map_err(|source| LeaseError::Io {
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

    pub(super) fn file(&self, lease: &Lease) -> PathBuf {
        self.root.join("leases").join(file_name(lease))
    }

    /// Put together in one piece: an attachment asks for some dozens of them.
    pub(super) fn link(&self, claim: &Claim) -> PathBuf {
        let mut path = OsString::with_capacity(self.root.as_os_str().len() + ROOM_FOR_CLAIM);
        path.push(&self.root);
        // No claim has a separator in it, and writing to memory does not fail.
        let _ = write!(path, "/claims/{claim}");
        path.into()
    }
}

/// Leases that are read one by one.
#[derive(Debug)]
pub struct Leases(std::vec::IntoIter<PathBuf>);

impl Leases {
    /// How many there are still, or were when they were listed.
    pub fn left(&self) -> usize {
        self.0.len()
    }
}

impl Iterator for Leases {
    type Item = Result<Lease, LeaseError>;

    fn next(&mut self) -> Option<Self::Item> {
        // One that is gone since is none.
        self.0.find_map(|path| read(&path).transpose())
    }
}

/// The lease at `path`; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Lease>, LeaseError> {
    text_at(path)?.map(|text| parse(path, &text)).transpose()
}

/// What the file at `path` has; `None` when there is none.
pub(super) fn text_at(path: &Path) -> Result<Option<Vec<u8>>, LeaseError> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LeaseError::io("read", path)(error)),
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<Lease, LeaseError> {
    #[derive(Deserialize)]
    struct Format {
        version: u32,
    }
    let unreadable = |source| LeaseError::Unreadable { path: path.to_owned(), source };
    let lease = serde_json::from_slice::<Lease>(text);
    let found = match &lease {
        Ok(lease) => lease.version,
        // What a later version wrote may not be understood at all.
        Err(_) => serde_json::from_slice::<Format>(text).map_err(unreadable)?.version,
    };
    if found > VERSION {
        return Err(LeaseError::Future { path: path.to_owned(), found });
    }
    lease.map_err(unreadable)
}

/// Where a claim of `lease` leads.
pub(super) fn target_of(lease: &Lease) -> PathBuf {
    Path::new("..").join("leases").join(file_name(lease))
}

fn file_name(lease: &Lease) -> String {
    format!("{}-{:016x}", lease.id, lease.serial)
}
