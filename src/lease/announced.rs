//! What a cluster's services are, as whoever asks the cluster says: one file, replaced as a whole, whose words are for others to judge. It stays
//! when its writer ends, and goes with the machine.

use std::path::PathBuf;

use super::{LeaseError, LeaseStore, directory, store::text_at};

/// The folder, and the file in it.
const FOLDER: &str = "services";
const FILE: &str = "kubernetes";

impl LeaseStore {
    /// Puts `content` in place of what was said before. `false` where just that was said.
    pub fn announce_services(&self, content: &[u8]) -> Result<bool, LeaseError> {
        let folder = self.announcements();
        directory::prepare(&folder)?;
        let path = folder.join(FILE);
        if text_at(&path)?.is_some_and(|said| said == content) {
            return Ok(false);
        }
        directory::replace(&path, content)?;
        Ok(true)
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
    }
}
