//! Waiting for what the kernel, or a program, does by itself: bounded, and the panic says what did not come.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Far longer than any of it takes on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it does not come to it that {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The same where somebody on this thread must go on meanwhile.
pub(crate) async fn becomes(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it does not come to it that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
