//! How long a request waits that follows one which came to nothing. Sends none.

use std::time::Duration;

use vfhook::types::digest;

/// The first wait; each next one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(15);

/// How long the next one waits.
#[derive(Debug, Default)]
pub(super) struct Pace {
    wait: Duration,
}

impl Pace {
    /// It went well.
    pub(super) fn go_on(&mut self) {
        self.wait = Duration::ZERO;
    }

    /// It was read, which says little of what is written.
    pub(super) fn go_on_slowly(&mut self) {
        self.wait = self.wait.min(FIRST);
    }

    /// It came to nothing. An answer is as old as its question, and one that is older than `hold` is of no use: no wait is a quarter of that.
    pub(super) fn put_off(&mut self, hold: Duration) {
        let longest = LONGEST.min(hold / 4).max(FIRST);
        self.wait = (self.wait * 2).clamp(FIRST, longest);
    }

    /// The wait of a node's request of this number, half of it to three halves: nodes that lost their server at one moment do not come
    /// back at one.
    pub(super) fn wait(&self, node: &str, number: u64) -> Duration {
        let share = u32::try_from(digest(&format!("{node} {number}")) % 1000).unwrap_or(0);
        self.wait.mul_f64(0.5 + f64::from(share) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_as_long_up_to_a_part_of_what_an_answer_is_good_for() {
        let (mut pace, hour) = (Pace::default(), Duration::from_secs(3600));
        assert_eq!(pace.wait("node-1", 1), Duration::ZERO);
        let mut seen = Vec::new();
        for _ in 0..6 {
            pace.put_off(hour);
            seen.push(pace.wait.as_secs());
        }
        assert_eq!(seen, [1, 2, 4, 8, 15, 15]);
        let [one, other] = ["node-1", "node-2"].map(|node| pace.wait(node, 1));
        assert!(one != other && one >= pace.wait / 2 && one <= pace.wait * 3 / 2);
        pace.go_on_slowly();
        assert_eq!(pace.wait, FIRST);
        pace.put_off(Duration::from_secs(6));
        assert_eq!(pace.wait, Duration::from_millis(1500));
        pace.go_on();
        assert_eq!(pace.wait, Duration::ZERO);
    }
}
