//! The only place that prints: plain lines, and one progress line for work that takes longer than a second. It must not decide anything.
#![expect(clippy::print_stdout, reason = "what the lab says on standard output is its result")]
#![expect(
    clippy::print_stderr,
    reason = "progress goes to standard error, so that the result can be piped"
)]

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Prints one line of the result.
pub(crate) fn line(text: &str) {
    println!("{text}");
    // A reader that has gone away (`| head`) is no reason to fail.
    let _ = std::io::stdout().flush();
}

/// Prints one line about what is going on or wrong.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// What is being done now, each with its beginning: several things may be, and there is one line to say so.
static NOW: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());

/// Says what is being done, counts the seconds while standard error is a terminal, and ends with how long it took.
pub(crate) struct Progress {
    what: String,
    begun: Instant,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Announces the work.
    pub(crate) fn start(what: impl Into<String>) -> Self {
        let what = what.into();
        let begun = Instant::now();
        if !std::io::stderr().is_terminal() {
            eprintln!("lab: {what} ...");
            return Self { what, begun, ticker: None };
        }
        now().push((what.clone(), begun));
        let (sender, receiver) = channel();
        let text = what.clone();
        let handle = std::thread::spawn(move || tick(&text, &receiver));
        Self { what, begun, ticker: Some((sender, handle)) }
    }

    /// Says that the work is done and how long it took.
    pub(crate) fn done(mut self) {
        self.silence();
        eprintln!("lab: {}: done in {:.1} s", self.what, self.begun.elapsed().as_secs_f64());
    }

    fn silence(&mut self) {
        if let Some((sender, handle)) = self.ticker.take() {
            drop(sender);
            let _ = handle.join();
            now().retain(|(what, _)| *what != self.what);
            eprint!("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.silence();
    }
}

fn now() -> MutexGuard<'static, Vec<(String, Instant)>> {
    NOW.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first of what is being done speaks for all.
fn tick(own: &str, stop: &Receiver<()>) {
    loop {
        let all = now().clone();
        if all.first().is_some_and(|(what, _)| what == own) {
            let parts: Vec<String> = all
                .iter()
                .map(|(what, begun)| format!("{what} ... {} s", begun.elapsed().as_secs()))
                .collect();
            eprint!("\r\x1b[Klab: {}", parts.join("; "));
            let _ = std::io::stderr().flush();
        }
        if stop.recv_timeout(Duration::from_secs(1)) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
