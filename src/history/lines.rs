//! Reads a file of the journal, line by line.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use nix::libc;

use super::Entry;

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

/// Shows each line of a file as it is written. A file that is not there has none.
pub(super) fn each_line(path: &Path, see: impl FnMut(&[u8])) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text)?;
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(see);
    Ok(())
}
