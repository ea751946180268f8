//! Tells the system's log (syslog or journald) what might be read nowhere else: some runtimes throw away what a hook writes to
//! stderr, and say only that it failed. It must neither wait for the log nor fail for the lack of one.

use std::os::unix::net::UnixDatagram;

/// Where both take messages, as syslog(3) sends them.
const SOCKET: &str = "/dev/log";

/// Facility daemon (3), severity error (3): RFC 3164, 4.1.1.
const DAEMON_ERROR: u8 = 3 << 3 | 3;

/// Tells that something failed; `message` is one line.
pub fn failed(message: &str) {
    let Ok(socket) = UnixDatagram::unbound() else { return };
    if socket.set_nonblocking(true).is_ok() {
        let _ = socket.send_to(format!("<{DAEMON_ERROR}>vfhook: {message}").as_bytes(), SOCKET);
    }
}
