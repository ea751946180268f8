//! What a run of the service matrix saw, as data that both sides know, and how it is written down: for one mode in plain text, for all of
//! them in Markdown. Pure; it must not judge.

mod markdown;
mod text;

use serde::{Deserialize, Serialize};

pub(crate) use self::markdown::markdown;
pub(crate) use self::text::text;

/// One mode's part of the table, for people.
pub(crate) const TEXT_FILE: &str = "matrix.txt";
/// The same as data.
pub(crate) const DATA_FILE: &str = "matrix.json";

/// What came of one thing tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// It is as it must be.
    Works,
    /// It is not, and cannot be, for this reason.
    Impossible(String),
    /// It is not yet, for this reason.
    Gap(String),
    /// It is not; this was seen.
    Fails(String),
}

impl Verdict {
    /// Whether it is as it must be.
    pub(crate) fn works(&self) -> bool {
        *self == Self::Works
    }

    /// The same for what is known not to work: that it fails is no surprise then, and that it works is one.
    pub(crate) fn known(self, not_to_work: Self) -> Self {
        match (self, &not_to_work) {
            (Self::Fails(_), _) => not_to_work,
            (_, Self::Impossible(why) | Self::Gap(why)) => {
                Self::Fails(format!("it works, although: {why}"))
            }
            (seen, _) => seen,
        }
    }

    /// Why it does not work.
    fn reason(&self) -> Option<&String> {
        match self {
            Self::Works => None,
            Self::Impossible(why) | Self::Gap(why) | Self::Fails(why) => Some(why),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Works => "ok",
            Self::Impossible(_) => "impossible",
            Self::Gap(_) => "a gap",
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

/// Everything that one mode of kube-proxy showed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The mode.
    pub(crate) mode: String,
    /// Backends and masquerades.
    pub(crate) lines: Vec<Line>,
    /// The rest.
    pub(crate) rows: Vec<Row>,
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
        cells.chain(rows).collect()
    }

    /// How many things were tried with a container.
    pub(crate) fn tried(&self) -> usize {
        self.rows.len() + self.lines.iter().map(|line| line.cells.len()).sum::<usize>()
    }
}
