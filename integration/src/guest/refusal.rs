//! Commands that must be refused, many at once: each with its exit code, its words, and a dump after it. All of them are tried, so that one
//! run tells everything that is wrong.

use super::command::Invocation;
use super::dump;
use super::failure::Failure;
use super::{Guest, harness};

/// A command that must be refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    title: String,
    command: Invocation,
    code: i32,
    said: Vec<String>,
}

impl Refusal {
    /// The command, the exit code it must have, what it must say.
    pub(crate) fn new(
        title: impl Into<String>,
        command: Invocation,
        code: i32,
        said: &[&str],
    ) -> Self {
        let said = said.iter().map(|text| (*text).to_owned()).collect();
        Self { title: title.into(), command, code, said }
    }
}

impl Guest {
    /// Tries each, then fails with all that was not refused as it must be, or changed something.
    pub(crate) fn all_refused(&mut self, refusals: &[Refusal]) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        let mut last = harness::decided()?;
        for refusal in refusals {
            self.step(&refusal.title);
            self.count();
            let said: Vec<&str> = refusal.said.iter().map(String::as_str).collect();
            if let Err(failure) = refusal.command.fails(refusal.code, &said) {
                wrong.push(failure.to_string());
            }
            let now = dump::take()?;
            let differences = last.differences(&now);
            if !differences.is_empty() {
                wrong.push(format!("{} changed:\n{}", refusal.title, differences.join("\n")));
            }
            last = now;
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Failure::unmet(
            format!("{} commands are refused, changing nothing", refusals.len()),
            format!("{} wrong\n{}", wrong.len(), wrong.join("\n")),
        ))
    }
}
