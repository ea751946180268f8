//! What a cluster asked of the API server.

use std::{collections::BTreeMap, fmt};

use address_blocks::{Answer, Request};

#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    /// Whether nodes have started, and what is asked counts.
    pub(crate) counts: bool,
    pub(crate) cells: u32,
    pub(crate) blocks: usize,
    /// Creations that were refused, from the beginning on.
    pub(crate) refused: u32,
    /// Lists of names, from the beginning on.
    pub(crate) lists: u32,
    /// Pods that found no address where they came to, once the nodes had started.
    pub(crate) without_address: u32,
    starts: u32,
    calls: u32,
    minutes: BTreeMap<u64, u32>,
    pub(crate) calls_a_minute: f64,
    pub(crate) starts_a_minute: f64,
    booting: u32,
    most: u32,
}

impl Report {
    pub(crate) fn new(cells: u32) -> Self {
        Self { cells, ..Self::default() }
    }

    pub(crate) fn starts(&mut self, pods: u32) {
        self.starts += if self.counts { pods } else { 0 };
    }

    pub(crate) fn is_without_address(&mut self) {
        self.without_address += u32::from(self.counts);
    }

    /// One call.
    pub(crate) fn is_asked(&mut self, minute: u64, request: &Request, answer: &Answer) {
        self.refused += u32::from(*answer == Answer::Exists);
        self.lists += u32::from(*request == Request::Names);
        if self.counts {
            self.calls += 1;
            *self.minutes.entry(minute).or_default() += 1;
        } else {
            let calls = self.minutes.entry(minute).or_default();
            *calls += 1;
            self.booting = self.booting.max(*calls);
        }
    }

    pub(crate) fn finish(mut self, minutes: u32) -> Self {
        self.calls_a_minute = f64::from(self.calls) / f64::from(minutes);
        self.starts_a_minute = f64::from(self.starts) / f64::from(minutes);
        let last = self.minutes.iter().rev().take(minutes as usize);
        self.most = last.map(|(_, calls)| *calls).max().unwrap_or(0);
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} calls a minute, {} at most ({} while nodes start); {:.0} pods start a minute, {} of all without an address; \
             {} of {} cells taken, {} creations refused and {} lists in all",
            self.calls_a_minute,
            self.most,
            self.booting,
            self.starts_a_minute,
            self.without_address,
            self.blocks,
            self.cells,
            self.refused,
            self.lists
        )
    }
}
