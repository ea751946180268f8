//! How long what ended waits until it is begun anew. Knows nothing of what it is.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How soon after a failure, or an end that came early; each next one waits twice as long.
pub(crate) const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The waits of one thing.
#[derive(Debug)]
pub(crate) struct Anew {
    began: Instant,
    wait: Duration,
}

impl Anew {
    /// Those of what begins now.
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), wait: FIRST_WAIT }
    }

    /// Waits until it may begin again, now that it ended.
    pub(crate) async fn wait(&mut self) {
        let wait = self.next(self.began.elapsed());
        sleep(wait).await;
        self.began = Instant::now();
    }

    /// The wait after what lasted so long.
    fn next(&mut self, lasted: Duration) -> Duration {
        let wait = if lasted > LONGEST_WAIT { FIRST_WAIT } else { self.wait };
        self.wait = (wait * 2).min(LONGEST_WAIT);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_wait_is_twice_as_long_until_it_lasts() {
        let mut anew = Anew::begin();
        let mut after = |seconds| anew.next(Duration::from_secs(seconds)).as_secs();
        assert_eq!([0; 7].map(&mut after), [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!([30, 31, 0].map(&mut after), [30, 1, 2]);
    }
}
