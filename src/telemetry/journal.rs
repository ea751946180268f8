//! Lines for the journal, which reads a priority in angle brackets before each (`sd-daemon(3)`). Must not send to it itself.

use std::{env, fmt, io::stderr, os::fd::AsFd as _, sync::LazyLock};

use nix::sys::stat::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Whether stderr is the stream that the journal gave us, and not one that it was replaced by.
pub(super) fn is_stderr() -> bool {
    static IS_STDERR: LazyLock<bool> = LazyLock::new(|| {
        let stream = env::var("JOURNAL_STREAM").unwrap_or_default();
        fstat(stderr().as_fd())
            .is_ok_and(|seen| stream == format!("{}:{}", seen.st_dev, seen.st_ino))
    });
    *IS_STDERR
}

/// What a line of this level on stderr begins with: nothing, where nobody reads it as a priority.
pub fn priority(level: Level) -> &'static str {
    if !is_stderr() {
        return "";
    }
    match severity(level) {
        3 => "<3>",
        4 => "<4>",
        6 => "<6>",
        _ => "<7>",
    }
}

/// syslog's number for a level (RFC 5424, 6.2.1).
pub(super) fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Writes events as another format does, each with its priority before it.
pub(super) struct Prioritized<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for Prioritized<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str(priority(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}
