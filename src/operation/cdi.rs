//! Tells runtimes of networks as CDI devices, in a file that vfhook alone writes, and takes that back. Reads the configuration; looks at no
//! card and no lease.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    cdi::{self, Document},
    kernel::{publish_file, published_file, withdraw_file},
};

/// Bytes of a file that are read: a network has some 400.
const LONGEST: u64 = 4 << 20;

/// What became of the file, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CdiDone {
    /// It was written.
    Written,
    /// It says just that already.
    Current,
    /// It was removed.
    Removed,
    /// There is none.
    NotThere,
}

/// Why the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CdiError {
    /// Somebody else's.
    #[error("{} is not vfhook's: move it away, or name another with --file", .0.display())]
    Foreign(PathBuf),
    /// The machine does not let us.
    #[error("{operation} the CDI file {}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Makes the file at `path` say `document`, unless `dry_run`.
pub fn write_cdi(path: &Path, document: &Document, dry_run: bool) -> Result<CdiDone, CdiError> {
    let failed = |source| CdiError::Io { operation: "write", path: path.to_owned(), source };
    if found(path)?.as_ref() == Some(document) {
        return Ok(CdiDone::Current);
    }
    if !dry_run {
        let mut text = serde_json::to_vec_pretty(document).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        publish_file(path, &text).map_err(failed)?;
    }
    Ok(CdiDone::Written)
}

/// Removes the file at `path`, unless `dry_run`. What runs goes on, and is taken back as it ends: its runtime keeps the hooks.
pub fn remove_cdi(path: &Path, dry_run: bool) -> Result<CdiDone, CdiError> {
    if found(path)?.is_none() {
        return Ok(CdiDone::NotThere);
    }
    if !dry_run {
        let failed = |source| CdiError::Io { operation: "remove", path: path.to_owned(), source };
        withdraw_file(path).map_err(failed)?;
    }
    Ok(CdiDone::Removed)
}

/// What vfhook wrote there; an error where somebody else did.
fn found(path: &Path) -> Result<Option<Document>, CdiError> {
    let failed = |source| CdiError::Io { operation: "read", path: path.to_owned(), source };
    let Some(text) = published_file(path, LONGEST).map_err(failed)? else { return Ok(None) };
    let document = serde_json::from_slice(&text).ok().filter(cdi::is_ours);
    document.map(Some).ok_or_else(|| CdiError::Foreign(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::{
        cdi::{Program, of_networks},
        config::parse,
    };

    fn document(networks: &[&str]) -> Document {
        let network = |name: &&str| {
            format!(
                "[[network]]\nname = \"{name}\"\npool = \"fast\"\ninterface = \"net1\"\nallow = {{ cdi = true }}\n"
            )
        };
        let pool = "version = 1\n[[pool]]\nname = \"fast\"\nkind = \"macvlan\"\npf = [\"card0\"]\n";
        let config = parse(&format!("{pool}{}", networks.iter().map(network).collect::<String>()));
        let program = Program { path: "/usr/bin/vfhook".into(), options: Vec::new() };
        of_networks(&config.unwrap(), &program).unwrap()
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn written_once_kept_and_removed() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("cdi/vfhook.json");
        let one = document(&["storage"]);
        assert_eq!(write_cdi(&path, &one, true).unwrap(), CdiDone::Written);
        assert!(!path.exists());
        assert_eq!(write_cdi(&path, &one, false).unwrap(), CdiDone::Written);
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(write_cdi(&path, &one, false).unwrap(), CdiDone::Current);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        assert_eq!(
            write_cdi(&path, &document(&["storage", "backup"]), false).unwrap(),
            CdiDone::Written
        );
        assert!(fs::read_to_string(&path).unwrap().contains("\"backup\""));
        // Libraries watch the directory, and would read what is half written.
        assert_eq!(names(path.parent().unwrap()), ["vfhook.json"]);
        assert_eq!(remove_cdi(&path, true).unwrap(), CdiDone::Removed);
        assert_eq!(remove_cdi(&path, false).unwrap(), CdiDone::Removed);
        assert_eq!(remove_cdi(&path, false).unwrap(), CdiDone::NotThere);
    }

    #[test]
    fn what_another_wrote_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("vfhook.json");
        for text in
            ["", "{}", "[1", r#"{"cdiVersion":"0.5.0","kind":"nvidia.com/gpu","devices":[]}"#]
        {
            fs::write(&path, text).unwrap();
            for tried in
                [write_cdi(&path, &document(&["storage"]), false), remove_cdi(&path, false)]
            {
                assert!(matches!(tried, Err(CdiError::Foreign(_))), "{text}: {tried:?}");
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let elsewhere = place.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert!(write_cdi(&path, &document(&["storage"]), false).is_err());
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    }
}
