//! What a run of the service matrix saw, as data that both sides know, and how it is written down: for one mode in plain text, for all of
//! them in Markdown. Pure; it must not judge.

mod markdown;
mod text;

use serde::{Deserialize, Serialize};

pub(crate) use self::markdown::markdown;
pub(crate) use self::text::text;

/// One mode's part of the table, as data.
pub(crate) const DATA_FILE: &str = "matrix.json";

/// Both ways have the same links, routes and rules; the rest is what an emulated machine makes of two equals.
const LEAST: f64 = 0.9;

/// What came of one thing tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// It is as it must be.
    Works,
    /// It is not, and cannot be.
    Impossible {
        /// Why.
        why: String,
        /// What was seen.
        seen: String,
    },
    /// It is not; this was seen.
    Fails(String),
}

impl Verdict {
    /// Whether it is as it must be.
    pub(crate) fn works(&self) -> bool {
        *self == Self::Works
    }

    /// The same for what cannot work: that it fails is no surprise then, and that it works is one.
    pub(crate) fn cannot_be(self, why: &str) -> Self {
        match self {
            Self::Fails(seen) => Self::Impossible { why: why.to_owned(), seen },
            _ => Self::Fails(format!("it works, although: {why}")),
        }
    }

    /// Why it does not work.
    fn reason(&self) -> Option<&String> {
        match self {
            Self::Works => None,
            Self::Impossible { why, .. } | Self::Fails(why) => Some(why),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Works => "ok",
            Self::Impossible { .. } => "impossible",
            Self::Fails(_) => "FAILS",
        }
    }
}

/// A way to ask a service: a protocol and a family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// Such as `UDP 4 KiB, IPv6`.
    pub(crate) probe: String,
    /// From a container with a VF and a service path.
    pub(crate) container: Verdict,
    /// From a pod of the ptp plugin.
    pub(crate) ptp_pod: Verdict,
}

/// Every way to ask one backend under one masquerade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Where the backend is.
    pub(crate) backend: String,
    /// What kube-proxy masquerades.
    pub(crate) masquerade: String,
    /// In the order of the columns.
    pub(crate) cells: Vec<Cell>,
}

/// Something else that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What.
    pub(crate) what: String,
    /// With a container that has a VF and a service path.
    pub(crate) container: Verdict,
    /// With a pod of the ptp plugin, where that says something.
    pub(crate) ptp_pod: Option<Verdict>,
}

/// How much there was of something good: the middle of runs that took turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measure {
    /// What, with its unit.
    pub(crate) what: String,
    /// With a container that has a VF and a service path.
    pub(crate) container: f64,
    /// With a pod of the ptp plugin.
    pub(crate) ptp_pod: f64,
    /// How good the first is beside the second: more than 1 is better.
    pub(crate) ratio: f64,
    /// The same for the ptp pod beside itself: how far from 1 the machine alone takes it.
    pub(crate) equals: f64,
}

/// Everything that one mode of kube-proxy showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The mode.
    pub(crate) mode: String,
    /// Backends and masquerades.
    pub(crate) lines: Vec<Line>,
    /// The rest.
    pub(crate) rows: Vec<Row>,
    /// How fast.
    pub(crate) measures: Vec<Measure>,
}

impl Part {
    /// What failed, a line each.
    pub(crate) fn failures(&self) -> Vec<String> {
        let cells = self.lines.iter().flat_map(|line| {
            line.cells.iter().filter_map(|cell| match &cell.container {
                Verdict::Fails(seen) => {
                    Some(format!("{}, {}, {}: {seen}", line.backend, line.masquerade, cell.probe))
                }
                _ => None,
            })
        });
        let rows = self.rows.iter().filter_map(|row| match &row.container {
            Verdict::Fails(seen) => Some(format!("{}: {seen}", row.what)),
            _ => None,
        });
        let slow = self.measures.iter().filter(|measure| measure.ratio < LEAST);
        let slow =
            slow.map(|measure| format!("{}: {:.2} of the ptp pod's", measure.what, measure.ratio));
        cells.chain(rows).chain(slow).collect()
    }

    /// How many things were tried with a container.
    pub(crate) fn tried(&self) -> usize {
        self.rows.len() + self.lines.iter().map(|line| line.cells.len()).sum::<usize>()
    }
}
