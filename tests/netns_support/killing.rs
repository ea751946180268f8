//! The program under test dies at the N-th of its steps and writes, for every N until it is done before it dies. It must not
//! know what the steps are.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{
    command::{self, Running},
    host::Host,
};

/// Tells `command` to die at its `at`-th moment. The file says afterwards which that was.
pub(crate) fn doom<'a>(host: &Host, command: &'a mut Command, at: u32) -> &'a mut Command {
    let _ = fs::remove_file(log(host));
    command.env("VFHOOK_KILL_AT", at.to_string()).env("VFHOOK_KILL_LOG", log(host))
}

/// Where it died; a panic when it did not. That it ended by a signal alone does not say that it was this.
pub(crate) fn moment(host: &Host) -> String {
    fs::read_to_string(log(host)).expect("a process that was to die said where")
}

/// Runs `command`, which is to die at its `at`-th moment, with `input` on its stdin; `None` when it was done before.
pub(crate) fn run(host: &Host, command: &mut Command, input: &str, at: u32) -> Option<String> {
    let ran = command::finish(doom(host, command, at), input);
    if ran.code.is_none() {
        return Some(moment(host));
    }
    ran.ok();
    None
}

/// Waits for a process that may die at its moment or do what it should: `None` as long as neither has happened.
pub(crate) fn has_died(host: &Host, running: &mut Running) -> bool {
    let ended = running.child.try_wait().expect("wait for a child of ours");
    ended.is_some_and(|status| status.code().is_none() && log(host).exists())
}

fn log(host: &Host) -> PathBuf {
    host.directory.join("died")
}

/// Counts up from 1 for several who work at once, until one of them has seen the end.
pub(crate) struct Count {
    next: AtomicU32,
    end: AtomicU32,
}

impl Count {
    pub(crate) fn from_one() -> Self {
        Self { next: AtomicU32::new(1), end: AtomicU32::new(u32::MAX) }
    }

    /// The next number; `None` after the end.
    pub(crate) fn next(&self) -> Option<u32> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.end.load(Ordering::Relaxed)).then_some(number)
    }

    /// There was nothing more at `number`.
    pub(crate) fn ends_at(&self, number: u32) {
        self.end.fetch_min(number, Ordering::Relaxed);
    }
}
