//! Where services are translated at the socket, and where what does it is kept. Paths only.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// A directory of cgroup2, and one of bpffs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TranslationPlace {
    /// The sockets of processes in it, and below it, are asked about.
    pub cgroup: PathBuf,
    /// Programs and maps are kept below it.
    pub bpffs: PathBuf,
}

impl Default for TranslationPlace {
    /// All processes; where systemd mounts bpffs.
    fn default() -> Self {
        let path = |text| Path::new(text).to_owned();
        Self { cgroup: path("/sys/fs/cgroup"), bpffs: path("/sys/fs/bpf") }
    }
}

impl fmt::Display for TranslationPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cgroup.display())
    }
}
