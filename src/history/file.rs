//! Writes and reads the journal. One line is one write to a file that is opened for it, so that no writer waits for another, and none can
//! be found half written but by a death or a full disk.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{libc, unistd::geteuid};

use super::{
    Entry, Tally, Way,
    lines::{each, last},
    rotation,
};

/// The journal, and who tells.
#[derive(Debug, Clone)]
pub struct History {
    directory: PathBuf,
    by: Way,
}

impl History {
    /// The one that belongs to the state directory at `state`.
    pub fn beside(state: &Path) -> Self {
        let mut directory = OsString::from(state.as_os_str());
        directory.push("-history");
        Self { directory: directory.into(), by: Way::Command }
    }

    /// The same, told by another.
    #[must_use]
    pub fn told_by(self, by: Way) -> Self {
        Self { by, ..self }
    }

    /// Who tells.
    pub fn by(&self) -> Way {
        self.by
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Adds a line.
    pub fn tell(&self, entry: Entry) -> io::Result<()> {
        let line = entry.line()?;
        loop {
            let mut file = self.open_or_make()?;
            file.write_all(&line)?;
            let meta = file.metadata()?;
            // Whoever sleeps between opening and writing for as long as others fill every file wakes up with one that is gone.
            if meta.nlink() == 0 {
                continue;
            }
            if meta.len() > rotation::LONGEST {
                rotation::rotate(&self.directory)?;
            }
            return Ok(());
        }
    }

    fn open_or_make(&self) -> io::Result<File> {
        match self.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Another may be faster.
                let _ = DirBuilder::new().mode(0o700).create(&self.directory);
                self.open()
            }
            opened => opened,
        }
    }

    fn open(&self) -> io::Result<File> {
        let meta = fs::symlink_metadata(&self.directory)?;
        if !meta.is_dir() || meta.uid() != geteuid().as_raw() || meta.mode() & 0o077 != 0 {
            let what =
                format!("{} is not a directory of its user's alone", self.directory.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        options.open(rotation::file(&self.directory, 0))
    }

    /// Shows each line that is there to `see`, the oldest first; how many cannot be read.
    pub fn read(&self, see: impl FnMut(Entry)) -> io::Result<u64> {
        let _still = rotation::stand_still(&self.directory)?;
        self.lines(see)
    }

    /// The last lines, at most so many, the newest first.
    pub fn latest(&self, most: usize) -> io::Result<Vec<Entry>> {
        let _still = rotation::stand_still(&self.directory)?;
        let mut latest = Vec::new();
        for age in 0..=rotation::OLDEST {
            latest.extend(last(&rotation::file(&self.directory, age), most - latest.len())?);
            if latest.len() == most {
                break;
            }
        }
        Ok(latest)
    }

    /// Everything that was ever counted.
    pub fn tally(&self) -> io::Result<Tally> {
        let _still = rotation::stand_still(&self.directory)?;
        let mut tally = rotation::totals(&self.directory);
        let unreadable = self.lines(|entry| tally.add(&entry))?;
        tally.unreadable += unreadable;
        Ok(tally)
    }

    fn lines(&self, mut see: impl FnMut(Entry)) -> io::Result<u64> {
        let mut unreadable = 0;
        for age in (0..=rotation::OLDEST).rev() {
            unreadable += each(&rotation::file(&self.directory, age), &mut see)?;
        }
        Ok(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, thread};

    use super::super::{What, entry::tests::entry};
    use super::*;

    fn history(place: &tempfile::TempDir) -> History {
        History::beside(&place.path().join("state")).told_by(Way::Hook)
    }

    fn all(history: &History) -> (Vec<Entry>, u64) {
        let mut entries = Vec::new();
        let unreadable = history.read(|entry| entries.push(entry)).unwrap();
        (entries, unreadable)
    }

    #[test]
    fn it_is_made_by_who_tells_first_and_is_its_users_alone() {
        let place = tempfile::tempdir().unwrap();
        let history = history(&place);
        assert_eq!(all(&history), (Vec::new(), 0));
        assert!(!history.directory().exists(), "who reads makes nothing");
        history.tell(entry(What::Attached, "blue", "0000:01:10.2")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(history.directory()), 0o700);
        assert_eq!(mode(&history.directory().join("journal")), 0o600);
        assert_eq!(all(&history).0.len(), 1);
    }

    #[test]
    fn nothing_is_told_through_a_link_or_into_others_directory() {
        let place = tempfile::tempdir().unwrap();
        let history = history(&place);
        let told = || history.tell(entry(What::Attached, "blue", "0000:01:10.2"));
        fs::create_dir(place.path().join("other")).unwrap();
        symlink("other", history.directory()).unwrap();
        assert!(told().is_err());
        fs::remove_file(history.directory()).unwrap();
        DirBuilder::new().mode(0o755).create(history.directory()).unwrap();
        assert!(told().unwrap_err().to_string().contains("of its user's alone"));
        fs::remove_dir(history.directory()).unwrap();
        DirBuilder::new().mode(0o700).create(history.directory()).unwrap();
        symlink("../elsewhere", history.directory().join("journal")).unwrap();
        assert!(told().is_err() && !place.path().join("elsewhere").exists());
    }

    #[test]
    fn what_a_dead_writer_left_costs_its_own_line_alone() {
        let place = tempfile::tempdir().unwrap();
        let history = history(&place);
        history.tell(entry(What::Attached, "one", "0000:01:10.1")).unwrap();
        let path = history.directory().join("journal");
        let torn = entry(What::Attached, "two", "0000:01:10.2").line().unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&torn[..torn.len() / 2]).unwrap();
        history.tell(entry(What::Attached, "three", "0000:01:10.3")).unwrap();
        let (entries, unreadable) = all(&history);
        let ids: Vec<&str> = entries.iter().map(|e| e.id.as_ref().unwrap().as_str()).collect();
        assert_eq!((ids, unreadable), (vec!["one", "three"], 1));
    }

    #[test]
    fn the_last_lines_are_found_over_the_end_of_a_file() {
        let place = tempfile::tempdir().unwrap();
        let history = history(&place);
        assert_eq!(history.latest(5).unwrap(), []);
        for number in 0..7 {
            let told = entry(What::Attached, &format!("n{number}"), "0000:01:10.2");
            history.tell(told.because(&"x".repeat(500))).unwrap();
            if number == 4 {
                let journal = history.directory().join("journal");
                fs::rename(&journal, history.directory().join("journal.1")).unwrap();
            }
        }
        let latest = |most| {
            let found = history.latest(most).unwrap();
            found.iter().map(|e| e.id.as_ref().unwrap().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(latest(3), ["n6", "n5", "n4"]);
        assert_eq!(latest(9).len(), 7);
        assert_eq!(latest(0), [""; 0]);
    }

    #[test]
    fn many_who_tell_at_once_lose_no_line_and_no_count_and_the_rest_is_bounded() {
        let place = tempfile::tempdir().unwrap();
        let history = history(&place);
        let long = "x".repeat(500);
        thread::scope(|scope| {
            for writer in 0..4 {
                let (history, long) = (&history, &long);
                scope.spawn(move || {
                    for number in 0..2000 {
                        let id = format!("w{writer}-{number}");
                        let told = entry(What::Attached, &id, "0000:01:10.2").because(long);
                        history.tell(told).unwrap();
                    }
                });
            }
        });
        let (entries, unreadable) = all(&history);
        assert_eq!(unreadable, 0);
        assert!(entries.len() > 3000 && entries.len() < 8000, "{}", entries.len());
        assert_eq!(history.tally().unwrap().attached[&Way::Hook].count(), 8000);
        // Who told last may have found another at work; nobody is now.
        history.tell(entry(What::Attached, "last", "0000:01:10.2")).unwrap();
        let files = fs::read_dir(history.directory()).unwrap().map(Result::unwrap);
        let sizes: Vec<u64> = files.map(|file| file.metadata().unwrap().len()).collect();
        // The journal, three that are older, and the counts. A file is longer than it should be by what was told while another was counted.
        assert!(
            sizes.len() <= 5 && sizes.iter().all(|size| *size < 2 * rotation::LONGEST),
            "{sizes:?}"
        );
    }

    #[test]
    fn of_who_died_while_counting_no_line_is_lost() {
        let place = tempfile::tempdir().unwrap();
        let history = history(&place);
        history.tell(entry(What::Attached, "old", "0000:01:10.2")).unwrap();
        let journal = history.directory().join("journal");
        fs::rename(&journal, history.directory().join("journal.4")).unwrap();
        assert_eq!(all(&history).0.len(), 1);
        let told =
            || history.tell(entry(What::Attached, "new", "0000:01:10.2").because(&"x".repeat(500)));
        let mut count = 1;
        while !history.directory().join("journal.1").exists() {
            told().unwrap();
            count += 1;
        }
        assert!(!history.directory().join("journal.4").exists());
        assert_eq!(history.tally().unwrap().attached[&Way::Hook].count(), count);
    }
}
