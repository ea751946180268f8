//! Files that other programs read: put there whole or not at all, read only so far, and never through a link.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use nix::libc;

use crate::kill_point;

/// Puts `content` in place of what is at `path`, wholly or not at all; makes the directory where there is none.
pub fn publish_file(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    replace(path, content, 0o644)
}

/// Puts `content` in place of what the file at `path` has, wholly or not at all; who may read it stays as it is. A link is an error.
pub fn rewrite_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    replace(path, content, found.mode() & 0o7777)
}

/// Adds a line to the file at `path`, which is made where there is none.
pub fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(NO_DETOUR);
    options.open(path)?.write_all(format!("{line}\n").as_bytes())
}

fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    // Of a process that died.
    withdraw_file(Path::new(&next))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode).custom_flags(libc::O_NOFOLLOW);
    let mut file = changing("make", next.as_ref(), || options.open(&next))?;
    // Whatever umask the program has.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    changing("fill", next.as_ref(), || file.write_all(content))?;
    changing("rename to", path, || fs::rename(&next, path))
}

/// Removes those files of the directory whose names are meant; none where there is no directory.
pub fn withdraw_files(directory: &Path, is_meant: impl Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&is_meant) {
            let path = entry.path();
            changing("remove", &path, || withdraw_file(&path))?;
        }
    }
    Ok(())
}

/// Does one change.
fn changing<T>(verb: &str, path: &Path, change: impl FnOnce() -> T) -> T {
    kill_point::around(|| format!("{verb} {}", path.display()), change)
}

/// What the file at `path` has; `None` where there is none. A link is an error, and so is more than `longest` bytes.
pub fn published_file(path: &Path, longest: u64) -> io::Result<Option<Vec<u8>>> {
    let opened = OpenOptions::new().read(true).custom_flags(NO_DETOUR).open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = Vec::new();
    file.take(longest + 1).read_to_end(&mut text)?;
    if text.len() as u64 > longest {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("over {longest} bytes")));
    }
    Ok(Some(text))
}

/// Takes the file at `path` away; one that is gone is gone.
pub fn withdraw_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Follows no link, and waits for nobody at the other end of a pipe.
const NO_DETOUR: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;
