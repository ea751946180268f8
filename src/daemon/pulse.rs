//! Whether the daemon lives: when its keeper finished a look last, whether a runtime tells of pods, how often one began to, and how close to
//! too late it is answered. What is told of it to systemd and over HTTP is theirs.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use containerd_nri::Handle;

use crate::{
    frontend::http::Health,
    history::{BOUNDS, Histogram},
    metrics::Nri,
};

/// What is known of it.
#[derive(Debug)]
pub(super) struct Pulse {
    looked: Mutex<Instant>,
    serving: AtomicBool,
    connections: AtomicU64,
    left: Mutex<Histogram>,
}

impl Pulse {
    /// It begins to live.
    pub(super) fn begin() -> Self {
        Self {
            looked: Mutex::new(Instant::now()),
            serving: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            left: Mutex::default(),
        }
    }

    /// The keeper of leases has finished a look, whatever that came to.
    pub(super) fn beat(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Whether it does what it is there for.
    pub(super) fn health(&self) -> Health {
        Health { looked: self.since(), serving: self.serving.load(Ordering::Relaxed) }
    }

    fn since(&self) -> Duration {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// The connection to a runtime.
    pub(super) fn nri(&self) -> Nri {
        Nri {
            serving: self.serving.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            left: self.left.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// The runtime was answered, so long before it would have been too late.
    pub(super) fn answered(&self, left: Duration) {
        let us = u64::try_from(left.as_micros()).unwrap_or(u64::MAX);
        self.left.lock().unwrap_or_else(PoisonError::into_inner).add(us, &BOUNDS);
    }

    /// Follows the connection for as long as there is one to come.
    pub(super) async fn follow(&self, handle: Handle) {
        let mut states = handle.watch();
        loop {
            let serving = states.borrow_and_update().is_serving();
            if serving && !self.serving.load(Ordering::Relaxed) {
                self.connections.fetch_add(1, Ordering::Relaxed);
            }
            self.serving.store(serving, Ordering::Relaxed);
            if states.changed().await.is_err() {
                return;
            }
        }
    }
}
