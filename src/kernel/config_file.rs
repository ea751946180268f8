//! Files of other programs' configuration: read through links, put back as they were found, whole or not at all and on disk when told so.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use nix::{
    libc,
    unistd::{AccessFlags, access},
};

use super::published::withdraw_file;

/// More than any configuration has.
const LONGEST: u64 = 4 << 20;

/// The path of the file itself, where links lead; one that is not there keeps its name.
pub fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The text at `path`; `None` where there is no file. What is too long or no text is an error.
pub fn read_config(path: &Path) -> io::Result<Option<String>> {
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("over {LONGEST} bytes")));
    }
    Ok(Some(text))
}

/// Puts `text` at `path`, with owner and mode of what is there, or `mode`. It is first written to a directory beside, whose file names
/// nobody reads, where one in its own might be taken for configuration.
pub fn write_config(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let had = fs::metadata(path).ok();
    let next = beside(path);
    withdraw_file(&next)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(&next)?;
    let done = (|| {
        file.write_all(text.as_bytes())?;
        if let Some(had) = &had {
            fchown(&file, Some(had.uid()), Some(had.gid()))?;
        }
        let mode = had.as_ref().map_or(mode, MetadataExt::mode) & 0o7777;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&next, path)
    })();
    if done.is_err() {
        // That it stays is worth less than the first error.
        let _ = withdraw_file(&next);
    }
    done?;
    sync(directory)
}

/// Removes a directory that has nothing in it; one that has something, or is gone, stays as it is.
pub fn remove_empty_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound
            ) =>
        {
            Ok(())
        }
        removed => removed,
    }
}

/// Makes one directory; one that is there is fine.
pub fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// The directories that must be made for a file at `path`, the outermost first.
pub fn missing_directories(path: &Path) -> Vec<PathBuf> {
    let above = path.ancestors().skip(1);
    let mut missing: Vec<PathBuf> =
        above.take_while(|path| !path.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

/// Whether a file could be put at `path`: the nearest directory that is there can be written.
pub fn is_writable(path: &Path) -> bool {
    let there = path.ancestors().skip(1).find(|path| path.exists());
    there.is_some_and(|path| access(path, AccessFlags::W_OK).is_ok())
}

/// The files that a pattern means, in order of their names: `*` stands for any letters of the last name.
pub fn matching_files(pattern: &Path) -> Vec<PathBuf> {
    let Some(name) = pattern.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let Some((head, tail)) = name.split_once('*') else { return vec![pattern.to_owned()] };
    let directory = pattern.parent().unwrap_or(Path::new("/"));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_meant = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
    };
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(is_meant).filter(|path| path.is_file()).collect();
    found.sort();
    found
}

/// Where the next content of `path` is written first: no pattern of configuration takes such a name. CRI-O takes every name, so for its
/// directories it is one above.
fn beside(path: &Path) -> PathBuf {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let takes_all = directory.file_name().is_some_and(|name| name == "crio.conf.d");
    let directory = directory.parent().filter(|_| takes_all).unwrap_or(directory);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    directory.join(format!(".{name}.vfhook-next"))
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_mode_and_neighbours_stay() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("config.toml");
        write_config(&path, "one", 0o644).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        write_config(&path, "two", 0o644).unwrap();
        assert_eq!(read_config(&path).unwrap().unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        assert_eq!(read_config(&place.path().join("none")).unwrap(), None);
    }

    #[test]
    fn a_pattern_means_files_in_their_order() {
        let place = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", ".hidden", "c.tomlx"] {
            fs::write(place.path().join(name), "").unwrap();
        }
        let found = matching_files(&place.path().join("*.toml"));
        assert_eq!(found, ["a.toml", "b.toml"].map(|name| place.path().join(name)));
        assert_eq!(matching_files(Path::new("/no/x.toml")), [PathBuf::from("/no/x.toml")]);
        assert_eq!(
            missing_directories(&place.path().join("x/y/z")),
            [place.path().join("x"), place.path().join("x/y")]
        );
    }
}
