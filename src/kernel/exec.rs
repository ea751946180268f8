//! Becomes another program, which then has this one's process, files and environment. Nothing of vfhook goes on.

use std::{
    env,
    ffi::OsString,
    fs, io,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::Path,
    process::{self, Command},
};

/// Says in which process vfhook became another program.
const BECAME: &str = "VFHOOK_BECAME";

/// Runs `program` with these words in place of this one; returns only to say why that failed.
pub fn become_program(program: &Path, words: &[OsString]) -> io::Error {
    Command::new(program).args(words).env(BECAME, process::id().to_string()).exec()
}

/// Whether what this process became made it vfhook again.
pub fn runs_as_itself() -> bool {
    env::var(BECAME).is_ok_and(|pid| pid == process::id().to_string())
}

/// Whether `path` leads to the program that runs.
pub fn is_this_program(path: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let own = identity(Path::new("/proc/self/exe"));
    own.is_some() && own == identity(path)
}
