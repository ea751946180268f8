//! How long to wait before the next attempt to connect. Draws its own jitter; keeps no clock and
//! does not sleep.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Doubling waits, each with jitter so that the plugins of a node do not dial in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    jitter: RandomState,
    drawn: u64,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST, jitter: RandomState::new(), drawn: 0 }
    }

    /// The wait before the next attempt: between half of the current step and all of it.
    pub(crate) fn wait(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(LONGEST);
        self.drawn += 1;
        let half = step / 2;
        half + half * self.per_mille() / 1000
    }

    /// Starts over, unless the connection lived so briefly that this would make a busy loop.
    pub(crate) fn served_for(&mut self, time: Duration) {
        if time >= LONGEST {
            self.start_over();
        }
    }

    /// Starts over: there is a reason to believe that the next attempt succeeds.
    pub(crate) fn start_over(&mut self) {
        self.next = FIRST;
    }

    fn per_mille(&self) -> u32 {
        let draw = self.jitter.hash_one(self.drawn) % 1001;
        u32::try_from(draw).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_50_ms_to_5_s_with_jitter_below() {
        let mut backoff = Backoff::new();
        for step in [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let wait = backoff.wait();
            assert!(wait >= Duration::from_millis(step / 2), "{wait:?} of {step}");
            assert!(wait <= Duration::from_millis(step), "{wait:?} of {step}");
        }
    }

    #[test]
    fn waits_differ() {
        let mut waits: Vec<_> = (0..20).map(|_| Backoff::new().wait()).collect();
        waits.dedup();
        assert!(waits.len() > 1);
    }

    #[test]
    fn starts_over_only_after_a_connection_that_lasted() {
        let mut backoff = Backoff::new();
        for _ in 0..10 {
            backoff.wait();
        }
        backoff.served_for(Duration::from_secs(1));
        assert!(backoff.wait() > FIRST);
        backoff.served_for(Duration::from_secs(60));
        assert!(backoff.wait() <= FIRST);
    }
}
