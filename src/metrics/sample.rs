//! The numbers of a metric, and how those are made that are many. Pure.

use std::collections::BTreeMap;

use super::Facts;
use crate::history::{BOUNDS, Bounds, Histogram, STEP_BOUNDS, StepKind, Tally, Way};

/// One number, and what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Names with values.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: Value,
}

/// A number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A whole one.
    Whole(u64),
    /// Times, and the bounds that they are counted by.
    Times(Histogram, &'static Bounds),
}

/// A whole number with its labels.
pub(super) fn of<const N: usize>(labels: [(&'static str, &str); N], value: u64) -> Sample {
    let labels = labels.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    Sample { labels, value: Value::Whole(value) }
}

/// All ways from the beginning, so that a rate sees the first.
pub(super) fn times(facts: &Facts, of_way: fn(&Tally, Way) -> Option<&Histogram>) -> Vec<Sample> {
    let tally = facts.tally.iter();
    tally
        .flat_map(|tally| {
            Way::ALL.iter().map(move |way| Sample {
                labels: vec![("frontend", way.to_string())],
                value: Value::Times(of_way(tally, *way).cloned().unwrap_or_default(), &BOUNDS),
            })
        })
        .collect()
}

/// Those that there were: most kinds of machines never see most kinds of steps.
pub(super) fn steps(
    facts: &Facts,
    of_tally: fn(&Tally) -> &BTreeMap<StepKind, Histogram>,
) -> Vec<Sample> {
    let tally = facts.tally.iter();
    tally
        .flat_map(|tally| {
            of_tally(tally).iter().map(|(kind, times)| Sample {
                labels: vec![("step", kind.to_string())],
                value: Value::Times(times.clone(), &STEP_BOUNDS),
            })
        })
        .collect()
}
