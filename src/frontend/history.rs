//! What was done to sandboxes and devices, in lines of a terminal's width: `history`, and `explain` for a sandbox. Judges nothing.

use std::{borrow::Cow, io};

use super::{
    arguments::{Arguments, History as Words},
    failure::CommandError,
    output::Output,
    table::Table,
    wrapped,
};
use crate::{
    history::{Entry, Had, History, Moment, Subject, What},
    kernel::{LinuxKernel, ahead_of_utc},
    lease::LeaseStore,
    operation::{self, Explained},
};

/// As wide as a terminal is at least.
const COLUMNS: usize = 80;

/// Letters that a network's name is given.
const NETWORK: usize = 12;

/// Letters that a reason is given in a table, where it has lines of its own.
const REASON: usize = 200;

/// Tells what was done, or who had what at a moment.
pub(super) fn show(arguments: &Arguments, words: &Words) -> Result<(), CommandError> {
    let history = History::beside(&arguments.state_dir);
    let now = Moment::now();
    let moment = |when: crate::history::When| when.moment(now, ahead_of_utc);
    let subject = words.subject.as_ref();
    let told = match words.at {
        Some(at) => {
            let leases = LeaseStore::open_existing(&arguments.state_dir)?;
            operation::recall_at(&history, leases.as_ref(), subject, moment(at))
        }
        None => operation::recall(&history, subject, words.since.map(moment)),
    };
    let (entries, unreadable) = told.map_err(|error| unread(&history, error))?;
    if unreadable > 0 {
        let directory = history.directory().display();
        tracing::warn!(unreadable, %directory, "lines of the history cannot be read");
    }
    let mut lines = lines(&entries);
    if entries.is_empty() {
        lines.push(match words.at {
            Some(at) => format!("nobody had it at {}", wall(moment(at))),
            None => "nothing of it is told".to_owned(),
        });
    }
    Output::new(words.json).told(&lines, &entries);
    Ok(())
}

/// Tells the way of each sandbox that is meant.
pub(super) fn explain(
    arguments: &Arguments,
    subject: &Subject,
    json: bool,
) -> Result<(), CommandError> {
    let history = History::beside(&arguments.state_dir);
    let leases = LeaseStore::open_existing(&arguments.state_dir)?;
    let mut kernel = LinuxKernel::open()?;
    let (there, told) = operation::explain(&mut kernel, leases.as_ref(), &history, subject)?;
    let told = told.map_err(|error| unread(&history, error))?;
    let mut shown: Vec<String> = there.iter().flat_map(way).collect();
    if there.is_empty() {
        shown.push("no sandbox that has anything is meant by it".to_owned());
    }
    shown.push(if told.is_empty() {
        "nothing of it is told".to_owned()
    } else {
        "told:".to_owned()
    });
    shown.extend(lines(&told));
    let value = serde_json::json!({ "sandboxes": there, "history": told });
    Output::new(json).told(&shown, &value);
    Ok(())
}

fn unread(history: &History, source: io::Error) -> CommandError {
    CommandError::History { directory: history.directory().to_owned(), source }
}

fn way(explained: &Explained) -> Vec<String> {
    let lease = &explained.lease;
    let whose = match &lease.pod {
        Some(pod) => {
            let namespace = lease.namespace.as_deref().unwrap_or("?");
            format!("pod {namespace}/{pod}, sandbox {}", lease.id)
        }
        None => format!("sandbox {}", lease.id),
    };
    let origin = serde_json::to_value(lease.origin).unwrap_or_default();
    let origin = origin.as_str().unwrap_or_default();
    let since = wall(Moment::of_seconds(lease.created));
    let mut lines = vec![
        plain(&whose).into_owned(),
        sentence(&format!("asked by way of {origin}, {since}; in {}", lease.netns.source)),
    ];
    for had in &lease.networks {
        let device = had.device.map_or_else(|| "made".to_owned(), |device| device.to_string());
        let (network, interface, pool) = (&had.network, &had.interface, &had.pool);
        let more =
            had.addresses.iter().map(ToString::to_string).chain(had.mac.map(|mac| mac.to_string()));
        let more = more.collect::<Vec<_>>().join(" ");
        lines.push(sentence(&format!("{network} as {interface}: {device} of pool {pool} {more}")));
    }
    for (interface, addresses) in &explained.besides {
        let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        lines.push(sentence(&format!(
            "{interface} has besides, from routers or its workload: {addresses}"
        )));
    }
    for (number, step) in explained.steps.iter().enumerate() {
        let mark = match step.holds {
            Some(true) => "holds",
            Some(false) => "DOES NOT HOLD",
            None => "unseen",
        };
        lines.push(format!("{:>5}. {mark}", number + 1));
        lines.push(sentence(&step.what));
        lines.extend(step.why.iter().map(|why| sentence(&format!("now: {why}"))));
    }
    let broken = explained.steps.iter().filter(|step| step.holds == Some(false)).count();
    lines.push(match &explained.unseen {
        Some(why) => sentence(&format!("now: {why}")),
        None if broken == 0 => "now: all of it holds".to_owned(),
        None => format!("now: {broken} of {} steps do not hold", explained.steps.len()),
    });
    lines
}

fn sentence(text: &str) -> String {
    wrapped::sentence(&plain(text)).trim_end().to_owned()
}

/// A line for each network, and reasons below.
fn lines(entries: &[Entry]) -> Vec<String> {
    let network = |entry: &Entry| entry.networks.iter().map(|had| had.network.as_str().len()).max();
    let widest = entries.iter().filter_map(network).max().unwrap_or(0).clamp(7, NETWORK);
    let who =
        COLUMNS - "11-27 03:00:00 taken-back command  0000:01:10.2 12345 ms".len() - widest - 2;
    let mut table = Table::new(["WHEN", "WHAT", "BY", "WHO", "DEVICE", "NETWORK", "TOOK"]);
    let mut reasons = Vec::new();
    let mut rows = 0;
    for entry in entries {
        for (position, had) in networks(entry).into_iter().enumerate() {
            let begins = position == 0;
            let cell = |text: String| if begins { text } else { String::new() };
            table.row([
                cell(wall(entry.at)),
                cell(entry.what.to_string()),
                cell(entry.by.to_string()),
                cell(end(&whose(entry), who)),
                device(entry, had),
                had.map_or_else(|| "-".to_owned(), |had| end(had.network.as_str(), widest)),
                cell(took(entry)),
            ]);
            rows += 1;
        }
        reasons.extend(entry.why.as_ref().map(|why| (rows, cut(why))));
    }
    let rows: Vec<String> = table.to_string().lines().map(str::to_owned).collect();
    let mut lines = Vec::new();
    for (number, row) in rows.into_iter().enumerate() {
        lines.push(row);
        let below = reasons.iter().filter(|(after, _)| *after == number);
        lines.extend(below.map(|(_, why)| sentence(why)));
    }
    lines
}

fn networks(entry: &Entry) -> Vec<Option<&Had>> {
    if entry.networks.is_empty() { vec![None] } else { entry.networks.iter().map(Some).collect() }
}

fn device(entry: &Entry, had: Option<&Had>) -> String {
    let device = had.and_then(|had| had.device).or(entry.device);
    let made = || match entry.what {
        What::Attached | What::TakenBack if had.is_some() => "made".to_owned(),
        _ => "-".to_owned(),
    };
    device.map_or_else(made, |device| device.to_string())
}

fn whose(entry: &Entry) -> String {
    match (&entry.pod, &entry.id) {
        (Some(pod), _) => format!("{}/{pod}", entry.namespace.as_deref().unwrap_or("?")),
        (None, Some(id)) => id.short().to_owned(),
        (None, None) => "-".to_owned(),
    }
}

fn took(entry: &Entry) -> String {
    entry.us.map_or_else(String::new, |us| format!("{} ms", us.div_ceil(1000)))
}

fn wall(moment: Moment) -> String {
    moment.on_the_wall(ahead_of_utc(moment.seconds()))
}

/// As much of a text's end as there is room for: of a name that tells most.
fn end(text: &str, room: usize) -> String {
    let shown: Vec<char> = text.chars().flat_map(char::escape_debug).collect();
    match shown.len().checked_sub(room) {
        None | Some(0) => shown.into_iter().collect(),
        Some(over) => std::iter::once('…').chain(shown.into_iter().skip(over + 1)).collect(),
    }
}

fn cut(why: &str) -> String {
    let mut shown: String = why.chars().take(REASON).collect();
    if shown.len() < why.len() {
        shown.push('…');
    }
    shown
}

/// Without what a terminal would obey.
fn plain(text: &str) -> Cow<'_, str> {
    crate::types::one_line(text)
}

#[cfg(test)]
mod tests {
    use crate::history::{Reason, Way};

    use super::*;

    #[test]
    fn every_line_is_of_a_terminals_width_and_obeys_nobody() {
        let had = |network: &str| Had {
            network: network.parse().unwrap(),
            pool: None,
            interface: None,
            device: Some("0000:01:10.2".parse().unwrap()),
            mac: None,
            addresses: Vec::new(),
        };
        let mut entries = Vec::new();
        for what in What::ALL {
            for way in Way::ALL {
                let entry = Entry {
                    id: Some("4f3e2d1c".parse().unwrap()),
                    pod: Some("\u{1b}[2J".repeat(40)),
                    namespace: Some("n".repeat(63)),
                    networks: vec![had("storage"), had(&"n".repeat(60))],
                    us: Some(30_000_000),
                    reason: Some(Reason::Request),
                    ..Entry::now(*what, *way).because(&"why \u{1b}[31m and more\n".repeat(40))
                };
                entries.push(Entry { pod: None, networks: Vec::new(), us: None, ..entry.clone() });
                entries.push(entry);
            }
        }
        let shown = lines(&entries).join("\n");
        for line in shown.lines() {
            let wide = line.chars().count();
            assert!(wide <= COLUMNS && !line.contains(char::is_control), "{wide} {line:?}");
        }
    }
}
