//! Keeps the journal short: a file that is long enough becomes the last but one, and the oldest goes, once what it tells is counted.
//! Whoever rotates holds a lock; whoever writes a line waits for nobody.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{Flock, FlockArg},
    libc,
};

use super::{Tally, lines::each};

/// Bytes after which a file is followed by another.
pub(super) const LONGEST: u64 = 1 << 20;

/// The age of the oldest file that is kept: there are as many besides the one that is written.
const KEPT: u32 = 3;

/// The age of the file that goes as soon as it is counted: it is found only where somebody counts it, or died of that.
pub(super) const OLDEST: u32 = KEPT + 1;

/// The file of this age.
pub(super) fn file(directory: &Path, age: u32) -> PathBuf {
    let name = if age == 0 { "journal".to_owned() } else { format!("journal.{age}") };
    directory.join(name)
}

/// What was counted in files that are gone. Where that cannot be read, counting begins anew.
pub(super) fn totals(directory: &Path) -> Tally {
    let text = fs::read(directory.join("totals")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// While this is held nothing is rotated; `None` where there is no journal.
pub(super) fn stand_still(directory: &Path) -> io::Result<Option<Flock<File>>> {
    let opened = match File::open(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    Flock::lock(opened, FlockArg::LockShared).map(Some).map_err(|(_, errno)| errno.into())
}

/// Begins a new file. Somebody who reads or rotates is left alone: the next line finds the file too long still.
pub(super) fn rotate(directory: &Path) -> io::Result<()> {
    let opened = File::open(directory)?;
    let Ok(_alone) = Flock::lock(opened, FlockArg::LockExclusiveNonblock) else { return Ok(()) };
    match fs::metadata(file(directory, 0)) {
        Ok(meta) if meta.len() > LONGEST => {}
        // Another was faster, and nobody has told anything since.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(()),
    }
    // Renamed first and counted then: counting takes long enough for others to fill a file, and meanwhile they fill a new one.
    count_and_remove(directory)?;
    // One may be missing, of who died between two renames.
    let gap = (1..=KEPT).find(|age| !file(directory, *age).exists()).unwrap_or(OLDEST);
    for age in (0..gap).rev() {
        fs::rename(file(directory, age), file(directory, age + 1))?;
    }
    count_and_remove(directory)
}

fn count_and_remove(directory: &Path) -> io::Result<()> {
    let oldest = file(directory, OLDEST);
    if !oldest.exists() {
        return Ok(());
    }
    // That it is bounded is worth more than its counts.
    let _ = fold(directory);
    fs::remove_file(oldest)
}

/// Counts the oldest file among those that are gone.
fn fold(directory: &Path) -> io::Result<()> {
    let mut tally = totals(directory);
    let unreadable = each(&file(directory, OLDEST), |entry| tally.add(&entry))?;
    tally.unreadable += unreadable;
    let next = directory.join("totals.next");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options.open(&next)?.write_all(&serde_json::to_vec(&tally)?)?;
    fs::rename(next, directory.join("totals"))
}
