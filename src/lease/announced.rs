//! What a cluster says, as whoever asks the cluster tells: a file for each subject, replaced as a whole, whose words are for others to judge. It
//! stays when its writer ends, and goes with the machine.

use std::path::{Path, PathBuf};

use super::{LeaseError, LeaseStore, directory, store::text_at};

/// The folder of services, and the file in it.
const FOLDER: &str = "services";
const FILE: &str = "kubernetes";

/// The folder of what belongs to a configuration.
const BESIDE: &str = "cluster";

/// What belongs to a configuration and is a cluster's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Networks.
    Networks,
    /// The networks that services are in.
    ServiceNetworks,
}

impl Subject {
    fn file(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::ServiceNetworks => "service-networks",
        }
    }
}

impl LeaseStore {
    /// Puts `content` in place of what was said before. `false` where just that was said.
    pub fn announce_services(&self, content: &[u8]) -> Result<bool, LeaseError> {
        put(&self.announcements(), FILE, content)
    }

    /// The same of another subject.
    pub fn announce(&self, subject: Subject, content: &[u8]) -> Result<bool, LeaseError> {
        put(&self.beside_configuration(), subject.file(), content)
    }

    /// What was said last of a subject, in the state directory at `root`, which need not be there.
    pub fn said_at(root: &Path, subject: Subject) -> Result<Option<Vec<u8>>, LeaseError> {
        text_at(&root.join(BESIDE).join(subject.file()))
    }

    /// The folder in which these files come, for who waits for that; it is there once something was said.
    pub fn beside_configuration(&self) -> PathBuf {
        self.root.join(BESIDE)
    }

    /// What was said last; `None` where nothing ever was.
    pub fn announced_services(&self) -> Result<Option<Vec<u8>>, LeaseError> {
        text_at(&self.announcements().join(FILE))
    }

    /// The folder in which the file comes, for who waits for that; it is there once something was said.
    pub fn announcements(&self) -> PathBuf {
        self.root.join(FOLDER)
    }
}

fn put(folder: &Path, file: &str, content: &[u8]) -> Result<bool, LeaseError> {
    directory::prepare(folder)?;
    let path = folder.join(file);
    if text_at(&path)?.is_some_and(|said| said == content) {
        return Ok(false);
    }
    directory::replace(&path, content)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt};

    use super::*;

    #[test]
    fn what_is_said_again_is_not_written_again() {
        let place = tempfile::tempdir().unwrap();
        let store = LeaseStore::open(&place.path().join("state")).unwrap();
        assert_eq!(store.announced_services().unwrap(), None);
        assert!(store.announce_services(b"one").unwrap());
        let path = place.path().join("state/services/kubernetes");
        let inode = || fs::metadata(&path).unwrap().ino();
        let first = inode();
        assert!(!store.announce_services(b"one").unwrap());
        assert_eq!(inode(), first);
        assert!(store.announce_services(b"other").unwrap());
        assert_eq!(store.announced_services().unwrap().unwrap(), b"other");
        let root = place.path().join("state");
        for subject in [Subject::Networks, Subject::ServiceNetworks] {
            assert_eq!(LeaseStore::said_at(&root, subject).unwrap(), None);
            assert!(store.announce(subject, subject.file().as_bytes()).unwrap());
            assert!(!store.announce(subject, subject.file().as_bytes()).unwrap());
        }
        let said = LeaseStore::said_at(&root, Subject::Networks).unwrap().unwrap();
        assert_eq!(said, b"networks");
    }
}
