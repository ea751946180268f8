//! Why something could not be done. Words only.

use std::{io, path::PathBuf};

use nix::errno::Errno;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The instructions are those of a little-endian machine.
    #[error("translate services at the socket: not written for a big-endian machine")]
    BigEndian,
    /// A directory is of another kind of file system than is needed.
    #[error("{} is not on {kind}: {cure}", path.display())]
    WrongFileSystem {
        /// The directory.
        path: PathBuf,
        /// What it should be on.
        kind: &'static str,
        /// What to do.
        cure: &'static str,
    },
    /// A file or directory could not be used.
    #[error("{operation} {}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("{operation} {object}{}", log.as_ref().map(|log| format!(": {log}")).unwrap_or_default())]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// On what.
        object: String,
        /// What the verifier said, where it was asked.
        log: Option<String>,
        /// The number of the error.
        source: Errno,
    },
    /// Somebody attached a program in the way that shuts all others out.
    #[error(
        "attach {hook}: program {program} is attached to {} without flags, which allows no other beside it: detach it (`bpftool cgroup detach`), or name another cgroup",
        cgroup.display()
    )]
    InTheWay {
        /// The hook.
        hook: &'static str,
        /// Where the program is.
        cgroup: PathBuf,
        /// Its name and number.
        program: String,
    },
    /// Somebody else translates services there.
    #[error(
        "program \"{program}\" of Cilium, attached to {}, makes services backends for all of this host",
        cgroup.display()
    )]
    Another {
        /// Where the program is.
        cgroup: PathBuf,
        /// Its name.
        program: String,
    },
    /// A map has no room for all of a service, which is as it was before.
    #[error("publish service {service}: the map {map} is full; it stays as it was")]
    Full {
        /// The map.
        map: &'static str,
        /// The service.
        service: String,
    },
    /// UDP sockets keep the backend that they are connected to, since the kernel ends none.
    #[error(
        "end UDP sockets of backends that went: {reason}; they keep them until they connect again"
    )]
    CannotEnd {
        /// What it lacks.
        reason: &'static str,
    },
    /// A service that cannot be.
    #[error("publish service {service}: {reason}")]
    Impossible {
        /// The service.
        service: String,
        /// Why.
        reason: &'static str,
    },
}

impl Error {
    pub(crate) fn refused(
        operation: &'static str,
        object: impl Into<String>,
    ) -> impl FnOnce(Errno) -> Self {
        let object = object.into();
        move |source| Self::Refused { operation, object, log: None, source }
    }

    pub(crate) fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }

    /// The number of the kernel's error, where it was one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { source, .. } => Some(*source),
            Self::File { source, .. } => source.raw_os_error().map(Errno::from_raw),
            _ => None,
        }
    }
}
