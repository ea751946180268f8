//! Reads a file of the journal, line by line.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use nix::libc;

use super::{Entry, entry};

/// Bytes of a file that are read: more than it is let grow to.
const MOST: u64 = 2 << 20;

/// Shows each line of a file to `see`; how many cannot be read.
pub(super) fn each(path: &Path, mut see: impl FnMut(Entry)) -> io::Result<u64> {
    let mut unreadable = 0;
    each_line(path, |line| match serde_json::from_slice(line) {
        Ok(entry) => see(entry),
        Err(_) => unreadable += 1,
    })?;
    Ok(unreadable)
}

/// The last lines of a file, at most so many, the newest first; what cannot be read is passed over. Reads no more than they may have.
pub(super) fn last(path: &Path, most: usize) -> io::Result<Vec<Entry>> {
    let Some(mut file) = open(path)? else { return Ok(Vec::new()) };
    let room = (most * entry::LONGEST) as u64;
    file.seek(SeekFrom::Start(file.metadata()?.len().saturating_sub(room)))?;
    let mut text = Vec::new();
    file.take(room).read_to_end(&mut text)?;
    // The first of them may be half a line, which is none.
    let lines = text.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).take(most).collect())
}

/// Shows each line of a file as it is written. A file that is not there has none.
pub(super) fn each_line(path: &Path, see: impl FnMut(&[u8])) -> io::Result<()> {
    let Some(file) = open(path)? else { return Ok(()) };
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text)?;
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(see);
    Ok(())
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}
