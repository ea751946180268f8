//! The guest's systemd, where it is PID 1: units that the project ships, and what `systemctl` and the journal say of them. It must not change
//! what a unit says.

use std::fs;
use std::path::Path;

use super::command::{cmd, eventually};
use super::failure::Failure;
use super::output::Output;
use crate::verdict::SHARE;

const UNITS: &str = "/etc/systemd/system";

/// A unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    name: &'static str,
}

impl Unit {
    /// The one of this name, `vfhook.service`.
    pub(crate) fn named(name: &'static str) -> Self {
        Self { name }
    }

    /// Installs what the project ships under its name, as an operator would.
    pub(crate) fn install(self) -> Result<(), Failure> {
        let from = Path::new(SHARE).join("nri-config").join(self.name);
        fs::copy(&from, Path::new(UNITS).join(self.name)).map_err(Failure::file("copy", from))?;
        cmd("systemctl daemon-reload").ok().map(drop)
    }

    /// Adds what the project ships under this other name to it.
    pub(crate) fn extend(self, shipped: &str) -> Result<(), Failure> {
        let from = Path::new(SHARE).join("nri-config").join(shipped);
        let folder = Path::new(UNITS).join(format!("{}.d", self.name));
        fs::create_dir_all(&folder).map_err(Failure::file("create", &folder))?;
        fs::copy(&from, folder.join(shipped)).map_err(Failure::file("copy", from))?;
        cmd("systemctl daemon-reload").ok().map(drop)
    }

    /// What `systemctl` does with it: `start` returns when it is ready.
    pub(crate) fn does(self, verb: &str) -> Result<Output, Failure> {
        cmd(&format!("systemctl {verb} {}", self.name)).output()
    }

    /// The same, which must succeed.
    pub(crate) fn must(self, verb: &str) -> Result<(), Failure> {
        self.does(verb)?.must_succeed().map(drop)
    }

    /// One of its properties.
    pub(crate) fn property(self, property: &str) -> Result<String, Failure> {
        let shown = cmd(&format!("systemctl show --value -p {property} {}", self.name)).ok()?;
        Ok(shown.text().to_owned())
    }

    /// Waits until it is in this state, `active`, and does not have this main process, which has ended.
    pub(crate) fn is_active_without(self, process: &str, seconds: u64) -> Result<(), Failure> {
        eventually(&format!("{} runs again", self.name), seconds, || {
            let (state, main) = (self.property("ActiveState")?, self.property("MainPID")?);
            if state == "active" && main != process && main != "0" {
                return Ok(());
            }
            Err(Failure::unmet("it is active, with another process", format!("{state}, {main}")))
        })
    }

    /// What its journal has from this priority up.
    pub(crate) fn journal(self, priority: &str) -> Result<String, Failure> {
        let lines = cmd(&format!("journalctl -q -o cat -u {} -p {priority}", self.name)).ok()?;
        Ok(lines.stdout)
    }

    /// Waits until its journal has this.
    pub(crate) fn says(self, text: &str, seconds: u64) -> Result<(), Failure> {
        eventually(&format!("\"{text}\" in the journal of {}", self.name), seconds, || {
            let journal = self.journal("debug")?;
            if journal.contains(text) {
                Ok(())
            } else {
                Err(Failure::unmet("it is there", journal))
            }
        })
    }
}
