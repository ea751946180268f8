//! Dials a runtime's socket, and notices that it was made, whether or not its folder was there before. Watches folders by inotify;
//! does not decide when to dial.

use std::future::pending;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;

use crate::dialer::Dialer;

/// Dials a runtime's socket.
#[derive(Debug)]
pub(super) struct SocketDialer {
    path: PathBuf,
    /// What was there when it was dialled last.
    known: Option<Socket>,
}

impl SocketDialer {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, known: None }
    }
}

impl Dialer for SocketDialer {
    type Stream = UnixStream;

    async fn dial(&mut self) -> io::Result<UnixStream> {
        self.known = Socket::at(&self.path);
        UnixStream::connect(&self.path).await
    }

    async fn hint(&mut self) {
        of_another_than(self.known, &self.path).await;
    }
}

/// Which socket is at a path: one that is made anew is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Socket {
    /// The one that is there now.
    fn at(path: &Path) -> Option<Self> {
        let seen = fs::metadata(path).ok()?;
        let changed = (seen.ctime(), seen.ctime_nsec());
        Some(Self { device: seen.dev(), inode: seen.ino(), changed })
    }
}

/// Waits until there is a socket at `path` that is not `known`. Where nothing can be watched it waits for ever.
async fn of_another_than(known: Option<Socket>, path: &Path) {
    loop {
        let Ok((folder, changes)) = watch(path) else { return pending().await };
        let there = Socket::at(path);
        if there.is_some() && there != known {
            return;
        }
        // What was made before the watch began tells nothing.
        if nearest(path) == folder && changes.readable().await.is_err() {
            return pending().await;
        }
    }
}

/// Watches the folder of `path`, or the nearest one above it that there is.
fn watch(path: &Path) -> io::Result<(&Path, Receiver)> {
    let folder = nearest(path);
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let made = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
    let gone = AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF;
    inotify.add_watch(folder, made | gone | AddWatchFlags::IN_ONLYDIR)?;
    // What it is read like is a pipe; only whether there is something to read is asked.
    Ok((folder, Receiver::from_owned_fd_unchecked(inotify.into())?))
}

fn nearest(path: &Path) -> &Path {
    let above = path.ancestors().skip(1).find(|folder| folder.is_dir());
    above.unwrap_or(Path::new("."))
}
