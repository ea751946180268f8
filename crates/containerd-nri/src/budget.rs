//! How long a handler may take before the plugin answers in its stead. Pure arithmetic; keeps no
//! clock.

use std::time::Duration;

/// The time a handler has, always shorter than the runtime's deadline for the answer.
///
/// A runtime that waited in vain drops the plugin and starts the pod without it, so the answer
/// must be there first: after seven tenths of the deadline, and at least 400 ms before it. Of a
/// deadline under 500 ms, a fifth.
///
/// ```
/// use std::time::Duration;
/// use containerd_nri::Budget;
///
/// assert_eq!(Budget::of(Duration::from_secs(2)).time(), Duration::from_millis(1400));
/// assert_eq!(Budget::of(Duration::from_secs(1)).time(), Duration::from_millis(600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Budget(Duration);

const MARGIN: Duration = Duration::from_millis(400);

impl Budget {
    /// The budget for an answer the runtime waits this long for.
    pub fn of(deadline: Duration) -> Self {
        let share = deadline / 10 * 7;
        let before_margin = deadline.saturating_sub(MARGIN);
        Self(share.min(before_margin).max(deadline / 5))
    }

    /// The time the handler has.
    pub fn time(self) -> Duration {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_rule_and_never_reaches_the_deadline() {
        let millis = |deadline| Budget::of(Duration::from_millis(deadline)).time().as_millis();
        assert_eq!(millis(10_000), 7_000);
        assert_eq!(millis(2_000), 1_400);
        assert_eq!(millis(1_000), 600);
        assert_eq!(millis(500), 100);
        assert_eq!(millis(400), 80);
        assert_eq!(millis(1), 0);
        assert_eq!(millis(0), 0);
        for deadline in 1..3_000 {
            assert!(
                Budget::of(Duration::from_millis(deadline)).time()
                    < Duration::from_millis(deadline)
            );
        }
    }

    #[test]
    fn grows_with_the_deadline() {
        let budgets: Vec<_> = (0..3_000).map(|ms| Budget::of(Duration::from_millis(ms))).collect();
        assert!(budgets.is_sorted());
    }
}
