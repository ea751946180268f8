//! A file of ours that other programs read, in a directory that is theirs as well: put there whole, and readable for all.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use nix::libc;

/// Puts `content` in place of what is at `path`, wholly or not at all; makes the directory where there is none.
pub fn publish_file(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    // Of a process that died.
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(&next)?;
    // Whatever umask the program has.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.write_all(content)?;
    fs::rename(&next, path)
}
