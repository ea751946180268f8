//! Counts what the journal tells, for metrics. Pure; what was counted once stays counted when its lines are gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Entry, Reason, Way, What};

/// Upper bounds of a histogram's buckets in milliseconds: factors of two, and what is promised: 70 % of NRI's two seconds, and those.
pub const BOUNDS_MS: [u64; 13] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1400, 2000];

/// How long things took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// How many took no longer than the bound of this place, and longer than the one before; what took longer than all is last.
    pub counts: [u64; BOUNDS_MS.len() + 1],
    /// Microseconds of all together.
    pub sum: u64,
}

impl Histogram {
    fn add(&mut self, us: u64) {
        let place = BOUNDS_MS.iter().position(|bound| us <= bound * 1000);
        self.counts[place.unwrap_or(BOUNDS_MS.len())] += 1;
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
    /// Detachments that took everything back.
    pub detached: BTreeMap<Way, Histogram>,
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
            What::Attached => self.attached.entry(entry.by).or_default().add(us),
            What::TakenBack => self.detached.entry(entry.by).or_default().add(us),
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
        let text = serde_json::to_string(&tally).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally);
    }
}
