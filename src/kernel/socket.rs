//! Sockets of ours in a directory of somebody else's, such as kubelet's: made, seen to be there still, and gone when dropped; and the
//! events of such a directory.

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{fs::MetadataExt, net::UnixListener},
    },
    path::{Path, PathBuf},
};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// A file that is at a path now; another one there is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
    /// Numbers of inodes are used again.
    changed: (i64, i64),
}

impl FileIdentity {
    /// `None` where there is none.
    pub fn at(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        let changed = (meta.ctime(), meta.ctime_nsec());
        Some(Self { device: meta.dev(), inode: meta.ino(), changed })
    }
}

/// The path of a socket that we listen at; it is removed when this is dropped.
#[derive(Debug)]
pub struct OwnSocket {
    path: PathBuf,
    file: FileIdentity,
}

impl OwnSocket {
    /// Listens at `path`, in place of what a process left there that died. The listener does not block.
    pub fn listen(path: &Path) -> io::Result<(Self, UnixListener)> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        let file = FileIdentity::at(path).ok_or(io::ErrorKind::NotFound)?;
        Ok((Self { path: path.to_owned(), file }, listener))
    }

    /// Whether it is there, and nobody removed it or put another in its place.
    pub fn is_there(&self) -> bool {
        FileIdentity::at(&self.path) == Some(self.file)
    }
}

impl Drop for OwnSocket {
    fn drop(&mut self) {
        if self.is_there() {
            // Whoever owns the directory may have been faster.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What is readable when something came or went in a directory. It is read like a pipe.
pub fn directory_events(directory: &Path) -> io::Result<OwnedFd> {
    let events = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let what = AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_ONLYDIR;
    events.add_watch(directory, what)?;
    Ok(events.into())
}
