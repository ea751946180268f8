//! Logs on stderr. A hook's stderr becomes part of the runtime's error, so it is quiet unless something is wrong.

pub mod system_log;

use std::io::{IsTerminal, stderr};

/// Sends everything from `level` up to stderr; in colour only on a terminal.
pub fn log_from(level: tracing::Level) {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
}
