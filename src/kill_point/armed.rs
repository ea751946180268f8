//! Counts moments and ends the process at the one that the environment asks for. It must not be in a release.

use std::{
    env, fs,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use nix::sys::signal::{Signal, raise};

/// The number of the moment at which the process ends, counted from 1; without it none does anything.
const AT: &str = "VFHOOK_KILL_AT";

/// The file that says afterwards which moment it was.
const LOG: &str = "VFHOOK_KILL_LOG";

/// Does `work`, with a moment to die before it and one after it, whatever came of it.
pub(crate) fn around<T>(name: impl Fn() -> String, work: impl FnOnce() -> T) -> T {
    pass("before", &name);
    let done = work();
    pass("after", &name);
    done
}

fn pass(side: &str, name: &impl Fn() -> String) {
    static CHOSEN: OnceLock<Option<u64>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let chosen = *CHOSEN.get_or_init(|| env::var(AT).ok()?.parse().ok());
    if chosen != Some(PASSED.fetch_add(1, Ordering::Relaxed) + 1) {
        return;
    }
    if let Some(log) = env::var_os(LOG) {
        // Whoever asked for it misses it.
        let _ = fs::write(log, format!("{side}: {}", name()));
    }
    // Not `abort`: nothing may run that a loss of power would not run.
    let _ = raise(Signal::SIGKILL);
}
