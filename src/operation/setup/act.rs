//! Changes one file, at which a test may let the process die; a record among them. Chooses none.

use std::path::Path;

use super::SetupError;
use crate::{
    kernel::{
        make_directory, missing_directories, remove_empty_directory, withdraw_file, write_config,
    },
    kill_point,
    setup::Record,
};

/// Does one change of a file, at which a test may let the process die.
pub(super) fn act(
    operation: &'static str,
    path: &Path,
    change: impl FnOnce() -> std::io::Result<()>,
) -> Result<(), SetupError> {
    kill_point::around(|| format!("{operation} {}", path.display()), change)
        .map_err(SetupError::io(operation, path))
}

/// Writes a record down, or takes it away where it tells of nothing.
pub(super) fn write_record(path: &Path, record: &Record) -> Result<(), SetupError> {
    if record.changes.is_empty() {
        act("remove", path, || withdraw_file(path))?;
        for directory in path.ancestors().skip(1).take(2) {
            // What others have there, or may not be removed, stays.
            let _ = remove_empty_directory(directory);
        }
        return Ok(());
    }
    for directory in missing_directories(path) {
        make_directory(&directory, 0o700).map_err(SetupError::io("make", &directory))?;
    }
    let text = serde_json::to_string_pretty(record).map_err(std::io::Error::from);
    act("write", path, || write_config(path, &(text? + "\n"), 0o600))
}
