//! Programs that run in the background for as long as a scenario wants, and die as it wants: by name, through files, so that what `prepare`
//! started `run` can kill. It must not know what they do.

use std::fs;
use std::path::{Path, PathBuf};

use super::command::{Invocation, cmd, eventually};
use super::failure::Failure;
use crate::verdict::{OUT_DIR, SHARE};

const DIR: &str = "/run/lab";
/// How long a program may need to end: containerd saves its state, vfhook finishes what it is at.
const END_SECONDS: u64 = 30;

/// A program in the background.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Daemon {
    name: &'static str,
}

impl Daemon {
    /// The one of this name.
    pub(crate) fn named(name: &'static str) -> Self {
        Self { name }
    }

    /// Starts it. What it writes is kept with the run, each start in a file of its own.
    pub(crate) fn start(self, program: &str, env: &[(&str, String)]) -> Result<(), Failure> {
        fs::create_dir_all(DIR).map_err(Failure::file("create", DIR))?;
        let _ = fs::remove_file(self.pid_file());
        // A child of pid 1, which reaps it: a zombie of ours would be seen as a process that still runs.
        let script = "exec > \"$2.$$.log\" 2>&1; echo $$ > \"$1\"; shift 2; exec \"$@\"";
        let starter = cmd("setsid --fork sh -c")
            .arg(script)
            .arg("sh")
            .arg(self.pid_file().to_string_lossy())
            .arg(Path::new(SHARE).join(OUT_DIR).join(self.name).to_string_lossy())
            .arg_words(program);
        let add = |starter: Invocation, (name, value): &(&str, String)| starter.env(name, value);
        env.iter().fold(starter, add).ok()?;
        eventually(&format!("the start of {}", self.name), 10, || self.pid()).map(drop)
    }

    /// Its process id.
    pub(crate) fn pid(self) -> Result<u32, Failure> {
        let text = fs::read_to_string(self.pid_file()).unwrap_or_default();
        text.trim().parse().map_err(|_| Failure::unmet(format!("{} was started", self.name), text))
    }

    /// Sends it a signal.
    pub(crate) fn signal(self, signal: &str) -> Result<(), Failure> {
        cmd(&format!("kill -{signal} {}", self.pid()?)).ok().map(drop)
    }

    /// Sends it a signal that ends it, and waits for its end.
    pub(crate) fn end(self, signal: &str) -> Result<(), Failure> {
        self.signal(signal)?;
        let process = format!("/proc/{}", self.pid()?);
        eventually(&format!("the end of {}", self.name), END_SECONDS, || {
            if Path::new(&process).exists() {
                return Err(Failure::unmet("no such process", &process));
            }
            Ok(())
        })
    }

    /// How often it has written this since its last start.
    pub(crate) fn said(self, text: &str) -> Result<usize, Failure> {
        Ok(self.log()?.matches(text).count())
    }

    /// Waits until it has written this so many times since its last start.
    pub(crate) fn says(self, text: &str, times: usize, seconds: u64) -> Result<(), Failure> {
        eventually(&format!("\"{text}\" in the log of {}", self.name), seconds, || {
            if self.said(text)? >= times {
                return Ok(());
            }
            let log = self.log()?;
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            Err(Failure::unmet(format!("it is there {times} times"), last.join("\n")))
        })
    }

    /// What it has written since its last start.
    pub(crate) fn log(self) -> Result<String, Failure> {
        let file = format!("{}.{}.log", self.name, self.pid()?);
        let path = Path::new(SHARE).join(OUT_DIR).join(file);
        let text = fs::read(&path).map_err(Failure::file("read", path))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn pid_file(self) -> PathBuf {
        Path::new(DIR).join(format!("{}.pid", self.name))
    }
}
