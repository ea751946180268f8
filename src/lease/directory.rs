//! The state directory itself: made safe or refused, and files in it replaced as a whole.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use nix::{
    libc,
    unistd::{AccessFlags, access},
};

use super::LeaseError;
use crate::kill_point;

/// Makes the directory with mode 0700 where it is absent; refuses one that is not root's alone.
pub(super) fn prepare(path: &Path) -> Result<(), LeaseError> {
    match changing("make", path, || DirBuilder::new().mode(0o700).create(path)) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(LeaseError::io("make the directory", path)(error)),
    }
    let meta = fs::symlink_metadata(path).map_err(LeaseError::io("look at", path))?;
    refuse_unsafe(path, &meta)
}

/// Makes a directory that others may look into who come to it; one that is there stays.
pub(super) fn prepare_open(path: &Path) -> Result<(), LeaseError> {
    let made = changing("make", path, || DirBuilder::new().mode(0o755).create(path))
        // Whatever umask the program has.
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)));
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.map_err(LeaseError::io("make the directory", path))?,
    }
    let meta = fs::symlink_metadata(path).map_err(LeaseError::io("look at", path))?;
    if meta.is_dir() {
        return Ok(());
    }
    Err(LeaseError::Unsafe { path: path.to_owned(), what: "is not a directory".to_owned() })
}

/// Whether the directory is there, makes none; refuses one that is not root's alone, or could not be made.
pub(super) fn inspect(path: &Path) -> Result<bool, LeaseError> {
    let writable = |path: &Path| {
        access(path, AccessFlags::W_OK | AccessFlags::X_OK)
            .map_err(|errno| LeaseError::io("write to", path)(errno.into()))
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), writable)?;
            Ok(false)
        }
        Err(error) => Err(LeaseError::io("look at", path)(error)),
        Ok(meta) => {
            refuse_unsafe(path, &meta)?;
            writable(path)?;
            Ok(true)
        }
    }
}

fn refuse_unsafe(path: &Path, meta: &Metadata) -> Result<(), LeaseError> {
    let unsafe_because = |what: String| Err(LeaseError::Unsafe { path: path.to_owned(), what });
    if !meta.is_dir() {
        return unsafe_because("is not a directory".to_owned());
    }
    if meta.uid() != nix::unistd::geteuid().as_raw() {
        return unsafe_because(format!("belongs to uid {}", meta.uid()));
    }
    if meta.mode() & 0o077 != 0 {
        return unsafe_because(format!("has mode {:04o}", meta.mode() & 0o7777));
    }
    Ok(())
}

/// What is in a directory, in order; nothing where there is none.
pub(super) fn listed(path: &Path) -> Result<Vec<PathBuf>, LeaseError> {
    let listed = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
    match listed {
        Ok(mut paths) => {
            paths.sort();
            Ok(paths)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(LeaseError::io("list", path)(error)),
    }
}

/// Puts `content` in place of `path`, wholly or not at all.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), LeaseError> {
    let next = next_to(path);
    write(&next, content)?;
    rename(&next, path)
}

/// The same, for a file that everybody may read who comes to it, such as a container's user.
pub(super) fn publish(path: &Path, content: &[u8]) -> Result<(), LeaseError> {
    let next = next_to(path);
    write(&next, content)?;
    // Whatever umask the program has.
    let readable = Permissions::from_mode(0o444);
    changing("open for all", &next, || fs::set_permissions(&next, readable))
        .map_err(LeaseError::io("open for all", &next))?;
    rename(&next, path)
}

/// Writes a new file in place of whatever is at `path`; what is left of a failed write means nothing to anybody.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), LeaseError> {
    make(path, content).map_err(|error| {
        // That it stays is worth less than the first error.
        let _ = remove(path);
        LeaseError::io("write", path)(error)
    })
}

/// Puts the file at `from` in place of `to`.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), LeaseError> {
    changing("rename to", to, || fs::rename(from, to)).map_err(|error| {
        let _ = remove(from);
        LeaseError::io("write", to)(error)
    })
}

/// Moves the file at `from` to `to`; one that is gone is no failure.
pub(super) fn move_away(from: &Path, to: &Path) -> Result<(), LeaseError> {
    let moved = changing("move away", from, || fs::rename(from, to));
    unless_gone(moved).map_err(LeaseError::io("remove", from))
}

/// Makes the empty file at `path`, or makes it new: when that was is all that it says.
pub(super) fn stamp(path: &Path) -> Result<(), LeaseError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    changing("stamp", path, || options.open(path)).map(drop).map_err(LeaseError::io("stamp", path))
}

/// Makes a symbolic link at `path`, in place of one that leads elsewhere.
pub(super) fn link(target: &Path, path: &Path) -> Result<(), LeaseError> {
    let make = || changing("link", path, || symlink(target, path));
    let linked = match make() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if leads(path, target) {
                return Ok(());
            }
            remove_file(path).and_then(|()| make())
        }
        linked => linked,
    };
    linked.map_err(LeaseError::io("link", path))
}

/// Whether the link at `path` leads to `target`.
pub(super) fn leads(path: &Path, target: &Path) -> bool {
    fs::read_link(path).is_ok_and(|found| found == target)
}

/// Removes a file or link; one that is gone is no failure.
pub(super) fn remove(path: &Path) -> Result<(), LeaseError> {
    remove_file(path).map_err(LeaseError::io("remove", path))
}

fn remove_file(path: &Path) -> io::Result<()> {
    unless_gone(changing("remove", path, || fs::remove_file(path)))
}

/// Removes a directory that has nothing in it; one that has something, or is gone, stays as it is.
pub(super) fn remove_empty(path: &Path) -> Result<(), LeaseError> {
    match changing("remove", path, || fs::remove_dir(path)) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => unless_gone(removed).map_err(LeaseError::io("remove", path)),
    }
}

/// What is gone already need not be moved or removed.
fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Where the next content of `path` is written first. What a process that died leaves there goes with the lease.
pub(super) fn next_to(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next");
    name.into()
}

fn make(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let open = || changing("make", path, || options.open(path));
    let mut file: File = match open() {
        // Of a process that died.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove_file(path).and_then(|()| open())
        }
        opened => opened,
    }?;
    changing("fill", path, || file.write_all(content).and_then(|()| file.sync_all()))
}

/// Does one change of the directory.
fn changing<T>(verb: &str, path: &Path, change: impl FnOnce() -> T) -> T {
    kill_point::around(|| format!("{verb} {}", path.display()), change)
}
