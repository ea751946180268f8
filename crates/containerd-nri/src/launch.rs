//! How the plugin comes by its connection: it dials the runtime's socket, or the runtime launched
//! it and passed one. Reads the environment once; does not connect.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs, io};

use crate::identity::{Identity, IdentityError};

const SOCKET: &str = "NRI_PLUGIN_SOCKET";
const NAME: &str = "NRI_PLUGIN_NAME";
const INDEX: &str = "NRI_PLUGIN_IDX";

/// How a plugin comes by its connection.
#[derive(Debug)]
pub enum Launch {
    /// The plugin dials the runtime, and again whenever the connection is lost.
    External {
        /// The runtime's socket.
        socket: PathBuf,
    },
    /// The runtime launched the plugin with a connection. It is the only one: runtimes do not
    /// launch a plugin again before they are restarted.
    Inherited {
        /// The connection.
        trunk: UnixStream,
        /// The identity the runtime knows the plugin by, if it said.
        identity: Option<Identity>,
    },
}

impl Launch {
    /// Where runtimes listen unless configured otherwise.
    pub const DEFAULT_SOCKET: &'static str = "/var/run/nri/nri.sock";

    /// Finds out how this process was launched; `socket` is what to dial if not by a runtime.
    ///
    /// The inherited connection can be taken once in the life of a process.
    pub fn detect(socket: impl Into<PathBuf>) -> Result<Self, LaunchError> {
        let Some(number) = variable(SOCKET) else {
            return Ok(Self::External { socket: socket.into() });
        };
        let identity = match (variable(NAME), variable(INDEX)) {
            (Some(name), Some(index)) => Some(Identity::new(name, index)?),
            _ => None,
        };
        let fd = number
            .parse::<RawFd>()
            .ok()
            .filter(|fd| *fd >= 0)
            .ok_or(LaunchError::Number { number })?;
        let trunk = take(fd)?;
        Ok(Self::Inherited { trunk, identity })
    }
}

/// Why the way a runtime launched the plugin cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The variable holds no descriptor number.
    #[error("cannot read {SOCKET}={number:?}: unset it to dial the runtime's socket instead")]
    Number {
        /// The value.
        number: String,
    },
    /// The number is no descriptor of a connection.
    #[error("cannot use descriptor {fd} from {SOCKET}: unset it to dial the runtime's socket")]
    Descriptor {
        /// The number.
        fd: RawFd,
        /// The cause.
        source: io::Error,
    },
    /// The connection was taken before.
    #[error("cannot take the inherited connection twice: keep the first Launch")]
    Taken,
    /// The runtime gave the plugin a name that cannot be.
    #[error("cannot use the identity in {NAME} and {INDEX}")]
    Identity(#[from] IdentityError),
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn take(fd: RawFd) -> Result<UnixStream, LaunchError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    // Its number may be another descriptor's by now.
    if TAKEN.load(Ordering::SeqCst) {
        return Err(LaunchError::Taken);
    }
    let failed = |source| LaunchError::Descriptor { fd, source };
    let kind = fs::metadata(format!("/proc/self/fd/{fd}")).map_err(failed)?.file_type();
    if !kind.is_socket() {
        return Err(failed(io::Error::other("not a socket")));
    }
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Err(LaunchError::Taken);
    }
    #[expect(unsafe_code, reason = "there is no other way to a descriptor that was inherited")]
    // SAFETY: The descriptor is open: it was just looked at. By the protocol of its launch this
    // process owns it, and `TAKEN` keeps it from being owned twice.
    let inherited = UnixStream::from(unsafe { OwnedFd::from_raw_fd(fd) });
    // An inherited descriptor would leak into every child; its duplicate does not.
    inherited.try_clone().map_err(failed)
}
