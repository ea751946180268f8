//! Counts what the journal tells, for metrics. Pure; what was counted once stays counted when its lines are gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Entry, Reason, StepKind, Way, What};

/// Upper bounds of a histogram's buckets, in microseconds.
pub type Bounds = [u64; 13];

/// Those of whole operations: factors of two, and what is promised: 70 % of NRI's two seconds, and those.
pub const BOUNDS: Bounds = [
    1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000, 1_000_000,
    1_400_000, 2_000_000,
];

/// Those of single steps: most are one message to the kernel, some wait for a driver.
pub const STEP_BOUNDS: Bounds =
    [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/// How long things took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// How many took no longer than the bound of this place, and longer than the one before; what took longer than all is last.
    pub counts: [u64; BOUNDS.len() + 1],
    /// Microseconds of all together.
    pub sum: u64,
}

impl Histogram {
    /// One more, which took so many microseconds. A histogram has the same bounds for all of them.
    pub fn add(&mut self, us: u64, bounds: &Bounds) {
        let place = bounds.iter().position(|bound| us <= *bound);
        self.counts[place.unwrap_or(bounds.len())] += 1;
        self.sum = self.sum.saturating_add(us);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// All counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Attachments that gave everything.
    pub attached: BTreeMap<Way, Histogram>,
    /// Their steps.
    pub attached_steps: BTreeMap<StepKind, Histogram>,
    /// Detachments that took everything back.
    pub detached: BTreeMap<Way, Histogram>,
    /// Their steps.
    pub detached_steps: BTreeMap<StepKind, Histogram>,
    /// What was refused, and nothing touched.
    pub refused: BTreeMap<Reason, u64>,
    /// Attachments that failed and were put back.
    pub failed: u64,
    /// What could not all be put back or taken back.
    pub stuck: u64,
    /// What did not hold and was given again.
    pub mended: u64,
    /// What did not hold and could not be.
    pub unmended: u64,
    /// Sandboxes that were found to run without what they ask for.
    pub missed: u64,
    /// Lines that cannot be read.
    pub unreadable: u64,
}

impl Tally {
    /// One more line.
    pub fn add(&mut self, entry: &Entry) {
        let us = entry.us.unwrap_or_default();
        match entry.what {
            What::Attached => {
                self.attached.entry(entry.by).or_default().add(us, &BOUNDS);
                add_steps(&mut self.attached_steps, entry);
            }
            What::TakenBack => {
                self.detached.entry(entry.by).or_default().add(us, &BOUNDS);
                add_steps(&mut self.detached_steps, entry);
            }
            What::Refused => {
                *self.refused.entry(entry.reason.unwrap_or(Reason::Defect)).or_default() += 1;
            }
            What::Failed => self.failed += 1,
            What::Stuck => self.stuck += 1,
            What::Mended => self.mended += 1,
            What::Unmended => self.unmended += 1,
            What::Missed => self.missed += 1,
            What::Joined | What::Left => {}
        }
    }
}

fn add_steps(steps: &mut BTreeMap<StepKind, Histogram>, entry: &Entry) {
    for (kind, times) in &entry.steps {
        let histogram = steps.entry(*kind).or_default();
        for us in times {
            histogram.add((*us).into(), &STEP_BOUNDS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::*;

    #[test]
    fn each_time_is_in_its_bucket() {
        let mut tally = Tally::default();
        for us in [0, 1000, 1001, 1_400_000, 1_400_001, 9_000_000] {
            let told = Entry { us: Some(us), ..entry(What::Attached, "blue", "0000:01:10.2") };
            tally.add(&told);
        }
        let histogram = &tally.attached[&Way::Hook];
        let filled: Vec<(usize, u64)> =
            histogram.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0, 2), (1, 1), (11, 1), (12, 1), (13, 1)]);
        assert_eq!((histogram.count(), histogram.sum), (6, 11_802_002));
        let steps = [(StepKind::AddRoute, vec![50, 51, 2_000_000])];
        tally.add(&Entry { steps: steps.into(), ..entry(What::TakenBack, "blue", "0000:01:10.2") });
        let routes = &tally.detached_steps[&StepKind::AddRoute];
        assert_eq!((routes.counts[0], routes.counts[1], routes.counts[13]), (1, 1, 1));
        assert!(tally.attached_steps.is_empty() && routes.sum == 2_000_101);
        let text = serde_json::to_string(&tally).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally);
    }
}
