//! A file of ours that other programs read, in a directory that is theirs as well: put there whole, and readable for all.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use nix::libc;

use crate::kill_point;

/// Puts `content` in place of what is at `path`, wholly or not at all; makes the directory where there is none.
pub fn publish_file(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    // Of a process that died.
    unless_gone(fs::remove_file(&next))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644).custom_flags(libc::O_NOFOLLOW);
    let mut file = changing("make", next.as_ref(), || options.open(&next))?;
    // Whatever umask the program has.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
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
            unless_gone(changing("remove", &path, || fs::remove_file(&path)))?;
        }
    }
    Ok(())
}

/// Another may have removed it.
fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Does one change.
fn changing<T>(verb: &str, path: &Path, change: impl FnOnce() -> T) -> T {
    kill_point::around(|| format!("{verb} {}", path.display()), change)
}
