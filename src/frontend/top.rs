//! `vfhook top`: what goes through each interface that was given, a second; the busiest first. Judges nothing.

use std::{
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    arguments::{Arguments, Top},
    failure::CommandError,
    holder, open, output,
    table::Table,
    terminal_page::{self, Drawn},
};
use crate::{
    kernel::{LinuxKernel, Terminal},
    operation::{self, Carried, Carrier, Context, Rates, Unseen},
};

/// Letters that a pod is given, so that a line has room in 80 columns.
const POD: usize = 26;

/// What went on between two looks.
#[derive(Serialize)]
struct Shown<'a> {
    /// How long that was.
    seconds: f64,
    /// The busiest first.
    interfaces: Vec<Busy<'a>>,
    /// Sandboxes that could not be looked into.
    unseen: &'a [Unseen],
}

#[derive(Serialize)]
struct Busy<'a> {
    #[serde(flatten)]
    carrier: &'a Carrier,
    #[serde(flatten)]
    rates: Rates,
}

/// What was counted, and when.
struct Look {
    at: Instant,
    carried: Carried,
}

impl Look {
    fn now(context: &Context) -> Result<Self, CommandError> {
        let carried = operation::traffic(&mut LinuxKernel::open()?, context)?;
        Ok(Self { at: Instant::now(), carried })
    }

    /// What went on since an earlier look. What came between them has no rate yet.
    fn since(&self, earlier: &Self) -> Shown<'_> {
        let seconds = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        let busy = self.carried.interfaces.iter().filter_map(|(carrier, traffic)| {
            let before = earlier.carried.interfaces.get(carrier)?;
            Some(Busy { carrier, rates: traffic.since(before, seconds) })
        });
        let mut interfaces: Vec<Busy<'_>> = busy.collect();
        let all = |busy: &Busy<'_>| busy.rates.received.bits + busy.rates.sent.bits;
        interfaces.sort_by(|one, other| {
            all(other).total_cmp(&all(one)).then_with(|| one.carrier.cmp(other.carrier))
        });
        Shown { seconds, interfaces, unseen: &self.carried.unseen }
    }
}

/// Shows it once to a script, and to a person until that one ends it.
pub(super) fn run(arguments: &Arguments, verb: &Top) -> Result<(), CommandError> {
    let context = open::both(arguments)?;
    let earlier = Look::now(&context)?;
    thread::sleep(verb.interval);
    let mut page = Page { context: &context, interval: verb.interval, last: earlier };
    if verb.json {
        output::json(&Look::now(&context)?.since(&page.last));
        return Ok(());
    }
    if Terminal::is_here() {
        return terminal_page::show(&mut page);
    }
    output::whole(&page.look()?);
    Ok(())
}

struct Page<'a> {
    context: &'a Context,
    interval: Duration,
    last: Look,
}

impl Drawn for Page<'_> {
    const COMMAND: &'static str = "vfhook top";

    fn look(&mut self) -> Result<String, CommandError> {
        let now = Look::now(self.context)?;
        let text = text(&now.since(&self.last));
        self.last = now;
        Ok(text)
    }

    fn is_due(&self, since: Duration) -> bool {
        since >= self.interval
    }
}

fn text(shown: &Shown<'_>) -> String {
    let head = ["SANDBOX", "IFACE", "IN pkt/s", "bit/s", "OUT pkt/s", "bit/s", "LOST/s"];
    let mut table = Table::new(head);
    for Busy { carrier, rates: Rates { received, sent } } in &shown.interfaces {
        let whose = match &carrier.pod {
            Some(pod) => holder::name(carrier.namespace.as_deref(), pod, POD),
            None => carrier.sandbox.short().to_owned(),
        };
        table.row([
            whose,
            carrier.interface.to_string(),
            short(received.packets),
            short(received.bits),
            short(sent.packets),
            short(sent.bits),
            short(received.lost + sent.lost),
        ]);
    }
    let mut text = table.to_string();
    if shown.interfaces.is_empty() {
        text.push_str("no sandbox has an interface that counts\n");
    }
    for unseen in shown.unseen {
        // Writing to memory does not fail.
        let _ = writeln!(text, "not counted: {}: {}", unseen.sandbox.short(), unseen.why);
    }
    text
}

/// A number in five letters at most, with the letter of its thousands.
fn short(number: f64) -> String {
    let mut rest = number;
    for letter in ["", "k", "M", "G", "T"] {
        if rest < 999.5 {
            let digits = usize::from(!letter.is_empty() && rest < 99.95);
            return format!("{rest:.digits$}{letter}");
        }
        rest /= 1000.0;
    }
    "much".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, shown) in [
            (0.0, "0"),
            (0.4, "0"),
            (999.0, "999"),
            (999.7, "1.0k"),
            (12_345.0, "12.3k"),
            (123_456.0, "123k"),
            (9.87e9, "9.9G"),
            (4.0e11, "400G"),
            (1.0e30, "much"),
        ] {
            assert_eq!(short(number), shown);
        }
    }
}
