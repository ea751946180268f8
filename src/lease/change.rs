//! Whether anything became different in the state directory and in the history beside it, for a few system calls. Reads nothing of either.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use super::LeaseStore;

/// What was seen of them; equal to what is seen later where nothing changed. Two changes within one tick of the kernel's clock may look
/// like one, so who must not miss any looks now and then all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen([Option<Mark>; 5]);

/// An entry that comes, goes or is replaced changes its directory's time; a line that is added, its file's length.
type Mark = (u64, i64, i64, u64);

impl LeaseStore {
    /// Looks at where changes show.
    pub fn seen(&self) -> Seen {
        let parts =
            ["leases", "allocations", "prepared", "missed"].map(|part| self.root.join(part));
        let [leases, allocations, prepared, missed] = parts.each_ref().map(|path| mark(path));
        Seen([
            leases,
            allocations,
            prepared,
            missed,
            mark(&self.history.directory().join("journal")),
        ])
    }
}

fn mark(path: &Path) -> Option<Mark> {
    let meta = fs::symlink_metadata(path).ok()?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len()))
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    #[test]
    fn what_comes_and_what_is_told_is_seen_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let store = LeaseStore::open(&place.path().join("state")).unwrap();
        let before = store.seen();
        thread::sleep(Duration::from_millis(20));
        store.find(&super::super::Claim::Device("0000:01:10.2".parse().unwrap())).unwrap();
        assert_eq!(store.seen(), before);
        fs::write(store.root.join("leases/blue-1"), "").unwrap();
        let then = store.seen();
        assert_ne!(then, before);
        fs::create_dir(store.history.directory()).unwrap();
        fs::write(store.history.directory().join("journal"), "x").unwrap();
        assert_ne!(store.seen(), then);
    }
}
