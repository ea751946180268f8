//! The signals that the daemon obeys. Does nothing by itself.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Who sends one before they are listened to ends the daemon at once.
pub(super) struct Signals {
    pub(super) terminate: Signal,
    pub(super) interrupt: Signal,
    pub(super) reload: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }
}
