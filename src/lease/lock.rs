//! Locks between processes: bytes of one file, released by the kernel when their holder dies.
//!
//! Open-file-description locks (`F_OFD_SETLK`) belong to the open file, not to the process, so that threads of a daemon
//! exclude each other as processes do. One file serves all: no lock leaves a file behind.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc,
};

use super::LeaseError;
use crate::{
    kill_point,
    types::{Deadline, PciAddress, Uid, digest},
};

/// How long until a taken lock is looked at again: at first as long as recording takes, then twice as long each time, up to a part of what an
/// attachment takes. No call both waits for such a lock and ends in time.
const PATIENCE: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(2);

/// The byte that guards recording.
pub(super) const TABLE: i64 = 0;

/// The byte of whoever says what may be given of addresses that are a cluster's: below those of all claims, above those of all functions.
pub(super) const GRANTS: i64 = (1 << 62) + (1 << 60) - 1;

/// Held while one lease is attached, changed or taken back, or something is looked at. A lease in a transient state whose lock is
/// free was left by a process that died.
#[derive(Debug)]
pub struct OperationLock {
    _file: File,
}

/// The byte of the lease with this serial number.
pub(super) fn byte_of(serial: u64) -> i64 {
    // 62 bits: never 0, never negative.
    i64::try_from(serial & (u64::MAX >> 2)).unwrap_or(i64::MAX >> 1) + 1
}

/// The byte of a PCI function, which stands for the VFs of a card and for one VF: above those of all leases.
pub(super) fn byte_of_function(function: PciAddress) -> i64 {
    let number = i64::try_from(function.number()).unwrap_or(0);
    (1 << 62) + 1 + number
}

/// The byte of a claim that was prepared: above those of all functions. Two may have the same, and wait for each other then.
pub(super) fn byte_of_claim(uid: &Uid) -> i64 {
    let number = i64::try_from(digest(uid.as_str()) >> 4).unwrap_or(0);
    (1 << 62) + (1 << 60) + number
}

/// The byte of the network namespace with this cookie: above those of all claims.
pub(super) fn byte_of_netns(cookie: u64) -> i64 {
    let number = i64::try_from(cookie & (u64::MAX >> 3)).unwrap_or(0);
    (1 << 62) + (1 << 61) + number
}

/// Whether somebody holds the lock of `byte`.
pub(super) fn is_taken(path: &Path, byte: i64) -> Result<bool, LeaseError> {
    let mut range = range(byte);
    fcntl(&open(path)?, FcntlArg::F_OFD_GETLK(&mut range))
        .map_err(|errno| LeaseError::io("look at the locks of", path)(errno.into()))?;
    Ok(i32::from(range.l_type) != libc::F_UNLCK)
}

/// Takes the lock of `byte`, waiting until `deadline`.
pub(super) fn take(
    path: &Path,
    byte: i64,
    what: &str,
    deadline: Deadline,
) -> Result<OperationLock, LeaseError> {
    let file = open(path)?;
    let mut patience = PATIENCE;
    while !try_lock(&file, byte).map_err(|errno| LeaseError::io("lock", path)(errno.into()))? {
        if deadline.passed() {
            return Err(LeaseError::Busy { what: what.to_owned() });
        }
        thread::sleep(patience);
        patience = LONGEST.min(patience * 2);
    }
    Ok(OperationLock { _file: file })
}

/// Takes the lock of `byte`; `None` when another has it.
pub(super) fn take_if_free(path: &Path, byte: i64) -> Result<Option<OperationLock>, LeaseError> {
    let file = open(path)?;
    let taken =
        try_lock(&file, byte).map_err(|errno| LeaseError::io("lock", path)(errno.into()))?;
    Ok(taken.then_some(OperationLock { _file: file }))
}

/// Makes the file where it is absent.
pub(super) fn make(path: &Path) -> Result<(), LeaseError> {
    kill_point::around(|| format!("make {}", path.display()), || open(path).map(drop))
}

fn open(path: &Path) -> Result<File, LeaseError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .map_err(LeaseError::io("open", path))
}

fn try_lock(file: &File, byte: i64) -> Result<bool, Errno> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range(byte))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn range(byte: i64) -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK.try_into().unwrap_or_default(),
        l_whence: libc::SEEK_SET.try_into().unwrap_or_default(),
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    }
}
