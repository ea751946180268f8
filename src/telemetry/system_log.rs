//! Tells the system's log (syslog or journald) what might be read nowhere else: some runtimes throw away what a hook writes to
//! stderr, and say only that it failed; and all that their plugins write. It must neither wait for the log nor fail for the lack
//! of one.

use std::{io, os::unix::net::UnixDatagram, path::Path};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::journal::severity;

/// Where both take messages, as syslog(3) sends them.
const SOCKET: &str = "/dev/log";

/// Facility daemon: RFC 3164, 4.1.1.
const DAEMON: u8 = 3 << 3;

/// Whether there is one.
pub(super) fn is_there() -> bool {
    Path::new(SOCKET).exists()
}

/// Tells that something failed; `message` is one line.
pub fn failed(message: &str) {
    send(Level::ERROR, message);
}

fn send(level: Level, message: &str) {
    let Ok(socket) = UnixDatagram::unbound() else { return };
    if socket.set_nonblocking(true).is_ok() {
        let priority = DAEMON | severity(level);
        let _ = socket.send_to(format!("<{priority}>vfhook: {message}").as_bytes(), SOCKET);
    }
}

/// Sends each event as one message.
pub(super) struct Writer;

/// One event on its way.
pub(super) struct Entry(Level);

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Entry;

    fn make_writer(&'a self) -> Entry {
        Entry(Level::INFO)
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Entry {
        Entry(*event.level())
    }
}

impl io::Write for Entry {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        send(self.0, String::from_utf8_lossy(line).trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
