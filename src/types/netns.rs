//! A network namespace: where to find it, and which one it is.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Where a network namespace can be opened. A claim from outside: `kernel` proves it before use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetnsSource {
    /// A namespace file, such as `/run/netns/blue` or `/proc/42/ns/net`.
    Path(PathBuf),
    /// The namespace of a process.
    Pid(u32),
}

impl fmt::Display for NetnsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => {
                write!(f, "network namespace {}", super::quote(&path.to_string_lossy()))
            }
            Self::Pid(pid) => write!(f, "network namespace of pid {pid}"),
        }
    }
}

/// The number that the host's namespace has for another (`RTM_NEWNSID` of `linux/net_namespace.h`): it is there for as long as that
/// namespace lives, wherever it can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetnsNumber(pub i32);

impl NetnsNumber {
    /// The first of those that vfhook gives. The kernel itself gives the lowest that is free.
    const FIRST: u64 = 1 << 30;

    /// The one for the namespace with this cookie. Cookies are counted up, and so are these: the kernel, which goes through all of them
    /// to find a namespace's (`peernet2id`), is many times faster where they are dense.
    pub fn of_cookie(cookie: u64) -> Self {
        Self(i32::try_from(Self::FIRST | (cookie % Self::FIRST)).unwrap_or(i32::MAX))
    }

    /// Whether vfhook gave it, so that it is given once.
    pub fn is_ours(self) -> bool {
        u64::try_from(self.0).is_ok_and(|number| number >= Self::FIRST)
    }
}

/// Which namespace it is. The cookie (`SO_NETNS_COOKIE`) is never reused while the machine runs; inode numbers are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetnsIdentity {
    /// The kernel's number for the namespace, unique since boot.
    pub cookie: u64,
    /// Where it was opened, to open it again.
    pub source: NetnsSource,
}
