//! Why the state directory could not be used.

use std::{io, path::PathBuf};

/// What went wrong with the record of leases.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The directory or something in it could be changed by others.
    #[error("state directory {}: {what}; it must be a directory of root's that only root may use (chmod 0700, chown root)", path.display())]
    Unsafe {
        /// What was looked at.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file operation failed.
    #[error("{operation} {}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process held the lock for too long.
    #[error("another vfhook holds {what} and did not finish in time")]
    Busy {
        /// Which lock.
        what: String,
    },
    /// Something was to be recorded for a lease that another one holds.
    #[error("{claim} is held by another lease")]
    Taken {
        /// What.
        claim: super::Claim,
    },
    /// A lease file that is not one.
    #[error("lease {} cannot be read; its sandbox must be looked at by hand", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// What was published of the cluster's addresses cannot be believed.
    #[error("what this node may give, in {}: {what}; vfhook-agent writes it anew", path.display())]
    BadGrant {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A lease of a later vfhook.
    #[error("lease {} has format {found}, this vfhook knows up to {}", path.display(), super::VERSION)]
    Future {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

impl LeaseError {
    pub(super) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { operation, path, source }
    }
}
