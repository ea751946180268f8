//! What killing vfhook everywhere came to, as data that both sides know, and how it is written down. Pure; it must not judge.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// The figures as data.
pub(crate) const DATA_FILE: &str = "faults.json";

/// What messages to the kernel are refused with: not what says that a thing is gone, which is what taking it back wants.
pub(crate) const ERRNOS: [&str; 5] = ["EEXIST", "EBUSY", "EOPNOTSUPP", "EADDRNOTAVAIL", "ENOBUFS"];

const HEAD: &str = "\
# Killed at every step

Made by `cargo lab faults` from what the scenario `faults_full` saw in the VM; not written by hand.

vfhook ends itself with SIGKILL before and after every step of attaching, taking back and provisioning, and before and after
every write of its leases. Whoever comes next must set it right: the next hook, `vfhook reconcile`, or the start of
`vfhook serve`; some of them are killed in their turn. After that the whole host is compared with what it was before.

";

/// One shape of plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// Such as `a VF and the service path`.
    pub(crate) name: String,
    /// How often it was killed on the way there.
    pub(crate) attaching: u32,
    /// How often it was killed on the way back.
    pub(crate) taking_back: u32,
}

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// When.
    pub(crate) date: String,
    /// What lots were drawn from.
    pub(crate) seed: u64,
    /// Shape by shape.
    pub(crate) shapes: Vec<Shape>,
    /// Who came next, how often.
    pub(crate) recoveries: u32,
    /// How many of them were killed too.
    pub(crate) killed_again: u32,
    /// How often the whole host was compared.
    pub(crate) comparisons: u32,
    /// How often it was not as before.
    pub(crate) traces: u32,
    /// How many messages to the kernel were refused instead.
    pub(crate) refused: u32,
    /// Errors that were provoked instead.
    pub(crate) errors: Vec<String>,
}

impl Figures {
    /// How often it was killed.
    pub(crate) fn kills(&self) -> u32 {
        let each = self.shapes.iter().map(|shape| shape.attaching + shape.taking_back);
        each.sum::<u32>() + self.killed_again
    }

    /// How many errors there were.
    fn errors_injected(&self) -> usize {
        self.errors.len() + self.refused as usize
    }

    /// The sum in a line.
    pub(crate) fn text(&self) -> String {
        format!(
            "points killed {}, {} of them during a recovery; recoveries {}; dumps compared {}; traces left {}; errors injected {} (seed {})",
            self.kills(),
            self.killed_again,
            self.recoveries,
            self.comparisons,
            self.traces,
            self.errors_injected(),
            self.seed,
        )
    }

    /// All of it as a document.
    pub(crate) fn markdown(&self) -> String {
        let mut text = HEAD.to_owned();
        let _ = writeln!(text, "{}: {}.\n", self.date, self.text());
        text.push_str(
            "| shape | killed on the way there | killed on the way back |\n|---|---|---|\n",
        );
        for shape in &self.shapes {
            let _ =
                writeln!(text, "| {} | {} | {} |", shape.name, shape.attaching, shape.taking_back);
        }
        text.push_str("\nErrors that were injected, after which nothing was left:\n\n");
        let _ = writeln!(
            text,
            "- {} times a netlink message of attaching or taking back was refused, or it and all that followed: every message, with {}",
            self.refused,
            ERRNOS.join(", ")
        );
        for error in &self.errors {
            let _ = writeln!(text, "- {error}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_figures_are_in_the_document() {
        let shape = Shape { name: "a VF".into(), attaching: 61, taking_back: 17 };
        let figures = Figures {
            date: "2000-01-02".into(),
            seed: 7,
            shapes: vec![shape],
            recoveries: 90,
            killed_again: 12,
            comparisons: 33,
            traces: 0,
            refused: 400,
            errors: vec!["no space left".into()],
        };
        let text = figures.markdown();
        for part in [
            "2000-01-02: points killed 90, 12 of them",
            "recoveries 90",
            "compared 33",
            "traces left 0",
            "injected 401",
            "- 400 times",
            "| a VF | 61 | 17 |",
            "- no space left",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
