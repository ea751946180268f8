//! What is to be measured, and what is to be done with the figures.

use crate::report::asked::Asked;

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Leases,
    Links,
    Functions,
    Storm,
    Idle,
}

impl Part {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "leases" => Self::Leases,
            "links" => Self::Links,
            "functions" => Self::Functions,
            "storm" => Self::Storm,
            "idle" => Self::Idle,
            _ => return None,
        })
    }
}

pub(crate) struct Arguments {
    pub(crate) asked: Asked,
    /// All when none is named.
    parts: Vec<Part>,
}

impl Arguments {
    pub(crate) fn of_command_line() -> Self {
        let (mut parts, mut others) = (Vec::new(), Vec::new());
        for word in std::env::args().skip(1) {
            match Part::named(&word) {
                Some(part) => parts.push(part),
                None => others.push(word),
            }
        }
        Self { asked: Asked::of(others), parts }
    }

    pub(crate) fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Prints a part of the answer for people.
    pub(crate) fn say(&self, text: &str) {
        if !self.asked.json {
            println!("{text}");
        }
    }
}
