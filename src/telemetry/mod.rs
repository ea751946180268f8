//! Where logs go: to stderr, with priorities where that is the journal; or to the system's log where nobody reads stderr. A hook's
//! stderr becomes part of the runtime's error, so it is quiet unless something is wrong.

mod journal;
pub mod system_log;

use std::io::{IsTerminal, stderr};

pub use journal::priority;

/// Set where a container runtime launched vfhook as its plugin.
pub const LAUNCHED: &str = "NRI_PLUGIN_SOCKET";

/// Whether somebody reads what is written to stderr: runtimes throw away what the plugins say that they launch.
pub fn stderr_is_read() -> bool {
    std::env::var_os(LAUNCHED).is_none_or(|value| value.is_empty())
}

/// Sends everything from `level` up to stderr, in colour only on a terminal; or, where nobody reads that, to the system's log.
pub fn log_from(level: tracing::Level) {
    let plain = tracing_subscriber::fmt().with_max_level(level).without_time().with_target(false);
    if !stderr_is_read() && system_log::is_there() {
        plain.with_ansi(false).with_writer(system_log::Writer).init();
    } else if journal::is_stderr() {
        let prioritized = plain.with_ansi(false).map_event_format(journal::Prioritized);
        prioritized.with_writer(stderr).init();
    } else {
        plain.with_ansi(stderr().is_terminal()).with_writer(stderr).init();
    }
}
