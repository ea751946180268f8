//! `vfhook serve` watched from outside for a while: its memory, and how often it does something.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde::Serialize;

use crate::netns_support::{host::Host, node::signal, processor};

/// What it does at its start is not what it does at rest.
const START: Duration = Duration::from_secs(4);

/// What was seen of it.
#[derive(Debug, Serialize)]
pub(crate) struct Watched {
    /// `VmRSS`.
    pub(crate) resident_kib: u32,
    /// `Pss`: what it shares with others is counted in part.
    pub(crate) proportional_kib: u32,
    /// How often any of its threads had waited for something and went on.
    pub(crate) wakeups_a_minute: f64,
    /// Of one core, in percent.
    pub(crate) processor_percent: f64,
}

/// Starts the daemon, and tells what it was like `meanwhile`.
pub(crate) fn watch(host: &Host, meanwhile: impl FnOnce()) -> Watched {
    let daemon = host.start(&["serve", "--nri-socket", "/run/none.sock"], "");
    thread::sleep(START);
    let pid = daemon.child.id();
    let (began, worked, woken) = (Instant::now(), processor::of_process(pid), wakeups(pid));
    meanwhile();
    let elapsed = began.elapsed().as_secs_f64();
    let work = processor::of_process(pid).saturating_sub(worked).as_secs_f64();
    let watched = Watched {
        resident_kib: field(&format!("/proc/{pid}/status"), "VmRSS:").expect("it runs"),
        proportional_kib: field(&format!("/proc/{pid}/smaps_rollup"), "Pss:").expect("it runs"),
        wakeups_a_minute: f64::from(wakeups(pid) - woken) * 60.0 / elapsed,
        processor_percent: 100.0 * work / elapsed,
    };
    signal(&daemon, Signal::SIGTERM);
    daemon.wait().ok();
    watched
}

fn wakeups(pid: u32) -> u32 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let status = |thread: fs::DirEntry| thread.path().join("status").display().to_string();
    let waits = |thread| field(&status(thread), "voluntary_ctxt_switches:");
    threads.flatten().filter_map(waits).sum()
}

fn field(file: &str, name: &str) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
