//! What containers are told of what they were given: a folder for each, which is mounted read-only into it. The folder is there before the
//! container, the file in it comes when there is something to tell. Who may know it and what it says is for others to decide.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{self, Path, PathBuf},
};

use super::{Claim, Lease, LeaseError, LeaseStore, directory, store::text_at};
use crate::types::{NOTICE_FILE, NoticeName, SandboxId};

/// How long a folder may be without a lease that names it, in seconds: a container is being made that has not come to its hooks.
const UNCLAIMED: i64 = 60;

impl LeaseStore {
    /// Makes the folder, which everybody may read who is given it; one that is there stays. Returns where it is.
    pub fn make_notice(&self, name: &NoticeName) -> Result<PathBuf, LeaseError> {
        directory::prepare(&self.notices())?;
        let folder = self.notice(name);
        directory::prepare_open(&folder)?;
        // Whoever mounts it is elsewhere.
        path::absolute(&folder).map_err(LeaseError::io("look at", folder))
    }

    /// Puts `content` into the folder, which must be there, as a file that everybody may read and nobody write.
    pub fn write_notice(&self, name: &NoticeName, content: &[u8]) -> Result<(), LeaseError> {
        let path = self.notice(name).join(NOTICE_FILE);
        if text_at(&path)?.is_some_and(|had| had == content) {
            return Ok(());
        }
        directory::publish(&path, content)
    }

    /// Removes what was told to a container in all of its runs.
    pub fn forget_notices_of(&self, id: &SandboxId) -> Result<(), LeaseError> {
        let listed = self.listed_notices()?;
        listed.iter().filter(|name| name.id() == id).try_for_each(|name| self.forget_notice(name))
    }

    /// Removes the folders that no lease names, and that are no longer waited for at `now` (seconds since 1970).
    pub fn forget_lost_notices(&self, now: u64) -> Result<(), LeaseError> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        for name in self.listed_notices()? {
            let folder = self.notice(&name);
            let is_old = match fs::symlink_metadata(&folder) {
                Ok(meta) => !(0..UNCLAIMED).contains(&now.saturating_sub(meta.mtime())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(LeaseError::io("look at", folder)(error)),
            };
            // Of a lease that cannot be read nobody knows what it names.
            let holder = self.find(&Claim::Id(name.id().clone()));
            let is_lost =
                |lease: Option<Lease>| lease.is_none_or(|had| !had.notices.contains(&name));
            if is_old && holder.is_ok_and(is_lost) {
                self.forget_notice(&name)?;
            }
        }
        Ok(())
    }

    /// Removes a folder with what is in it; one that is gone is no failure.
    pub(super) fn forget_notice(&self, name: &NoticeName) -> Result<(), LeaseError> {
        let folder = self.notice(name);
        let file = folder.join(NOTICE_FILE);
        directory::remove(&directory::next_to(&file))?;
        directory::remove(&file)?;
        directory::remove_empty(&folder)
    }

    /// The folder that is mounted from `source`; `None` for one that is not of the state directory `root`.
    pub fn notice_at(root: &Path, source: &Path) -> Option<NoticeName> {
        let notices = path::absolute(root).ok()?.join("notices");
        let name = source.strip_prefix(notices).ok()?.to_str()?;
        name.parse().ok()
    }

    fn listed_notices(&self) -> Result<Vec<NoticeName>, LeaseError> {
        let listed = directory::listed(&self.notices())?;
        let name = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
        Ok(listed.iter().filter_map(name).collect())
    }

    fn notice(&self, name: &NoticeName) -> PathBuf {
        self.notices().join(name.to_string())
    }

    fn notices(&self) -> PathBuf {
        self.root.join("notices")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn name(text: &str) -> NoticeName {
        text.parse().unwrap()
    }

    #[test]
    fn a_notice_is_for_everybody_to_read_and_goes_without_a_trace() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("state");
        let store = LeaseStore::open(&root).unwrap();
        let own = name("box-0000000000000001");
        let folder = store.make_notice(&own).unwrap();
        assert_eq!(store.make_notice(&own).unwrap(), folder);
        store.write_notice(&own, b"[]").unwrap();
        let file = folder.join(NOTICE_FILE);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&folder), mode(&file)), (0o755, 0o444));
        let inode = fs::metadata(&file).unwrap().ino();
        store.write_notice(&own, b"[]").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().ino(), inode, "written again for nothing");
        store.write_notice(&own, b"[1]").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"[1]");
        store.forget_notices_of(&"bo".parse().unwrap()).unwrap();
        assert!(file.exists());
        store.forget_notices_of(own.id()).unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn what_nobody_waits_for_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let store = LeaseStore::open(&place.path().join("state")).unwrap();
        let folder = store.make_notice(&name("box-0000000000000001")).unwrap();
        let made = u64::try_from(fs::metadata(&folder).unwrap().mtime()).unwrap();
        store.forget_lost_notices(made + 59).unwrap();
        assert!(folder.exists());
        store.forget_lost_notices(made + 60).unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn a_mount_from_elsewhere_is_no_notice() {
        let root = Path::new("/run/vfhook");
        let of = |source: &str| LeaseStore::notice_at(root, Path::new(source));
        assert_eq!(
            of("/run/vfhook/notices/box-0000000000000001"),
            Some(name("box-0000000000000001"))
        );
        for source in [
            "",
            "/run/vfhook/notices",
            "/run/vfhook/notices/../leases",
            "/run/vfhook/notices/box-0000000000000001/network-status",
            "/run/vfhook/leases/box-0000000000000001",
            "/tmp/notices/box-0000000000000001",
        ] {
            assert_eq!(of(source), None, "{source}");
        }
    }
}
