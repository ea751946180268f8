//! All parts as one document in Markdown: a column for each mode.

use std::fmt::Write as _;

use super::{Cell, Line, Measure, Part, Row, Verdict};

const HEAD: &str = "\
# Services under every kube-proxy mode

Made by `cargo lab matrix` from what `cargo lab run service_matrix` saw in the VM; not written by hand.

A container has a VF as its default route and `svc0` for the service networks. Beside it is a pod whose only interface is
the ptp plugin's; it asks the same questions. In the first table *ok* means that every question was answered, by the right
backend, and that the backend saw an address that leads back through the host. A number leads to the reason that the scenario
gives for what does not work: a run shows that it does not work, not that this is why.

";

const SPEED: &str = "
## How fast

The container and the ptp pod took turns, ten times each, over one connection to a service with a backend on this node. The
number is how good the container is beside the pod, more than 1 being better: the middle of the ten ratios; behind it what the
middle turn of each reached. *Equals* is the same for the pod beside itself: so far from 1 comes what makes no difference. The
machine is an emulated one: only ratios mean something.

";

/// The document.
pub(crate) fn markdown(parts: &[Part]) -> String {
    let mut notes = Notes::default();
    let mut text = HEAD.to_owned();
    let Some(first) = parts.first() else { return text };
    let _ = writeln!(text, "Each cell of this table stands for: {}.\n", probes(first).join("; "));
    head(&mut text, &["backend", "kube-proxy masquerades"], parts);
    for line in &first.lines {
        let _ = write!(text, "| {} | {} |", line.backend, line.masquerade);
        for part in parts {
            let same = |other: &&Line| {
                other.backend == line.backend && other.masquerade == line.masquerade
            };
            let cell = part.lines.iter().find(same).map(|line| lines_cell(line, &mut notes));
            let _ = write!(text, " {} |", cell.unwrap_or_else(|| "-".into()));
        }
        text.push('\n');
    }
    text.push_str("\n## The rest\n\n");
    head(&mut text, &["what"], parts);
    for row in &first.rows {
        let _ = write!(text, "| {} |", row.what);
        for part in parts {
            let found = part.rows.iter().find(|other| other.what == row.what);
            let cell = found.map(|row| rows_cell(row, &mut notes));
            let _ = write!(text, " {} |", cell.unwrap_or_else(|| "-".into()));
        }
        text.push('\n');
    }
    text.push_str(&notes.text());
    speed(&mut text, parts);
    text
}

fn speed(text: &mut String, parts: &[Part]) {
    let Some(first) = parts.first().filter(|part| !part.measures.is_empty()) else { return };
    text.push_str(SPEED);
    head(text, &["what"], parts);
    for measure in &first.measures {
        let _ = write!(text, "| {} |", measure.what);
        for part in parts {
            let found = part.measures.iter().find(|other| other.what == measure.what);
            let cell = found.map(|measure| {
                let Measure { container, ptp_pod, ratio, equals, .. } = measure;
                format!("{ratio:.2} ({container:.0} : {ptp_pod:.0}), equals {equals:.2}")
            });
            let _ = write!(text, " {} |", cell.unwrap_or_else(|| "-".into()));
        }
        text.push('\n');
    }
}

fn probes(part: &Part) -> Vec<String> {
    let first = part.lines.first();
    first.map(|line| line.cells.iter().map(|cell| cell.probe.clone()).collect()).unwrap_or_default()
}

fn head(text: &mut String, titles: &[&str], parts: &[Part]) {
    let modes = parts.iter().map(|part| part.mode.as_str());
    let titles: Vec<&str> = titles.iter().copied().chain(modes).collect();
    let _ = writeln!(text, "| {} |", titles.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(titles.len()));
}

fn lines_cell(line: &Line, notes: &mut Notes) -> String {
    let without = |verdict: fn(&Cell) -> &Verdict| -> Vec<&str> {
        let cells = line.cells.iter().filter(|cell| !verdict(cell).works());
        cells.map(|cell| cell.probe.as_str()).collect()
    };
    let own = without(|cell| &cell.container);
    let other = without(|cell| &cell.ptp_pod);
    let mut text = if own.is_empty() {
        "ok".to_owned()
    } else {
        let bad = line.cells.iter().map(|cell| &cell.container).find(|verdict| !verdict.works());
        format!("{}{}", own.join(", "), bad.map_or_else(String::new, |bad| notes.mark(bad)))
    };
    if own != other {
        let other =
            if other.is_empty() { "ok".to_owned() } else { format!("not {}", other.join(", ")) };
        let _ = write!(text, "; ptp pod: {other}");
    } else if !own.is_empty() {
        text.push_str("; ptp pod: the same");
    }
    text
}

fn rows_cell(row: &Row, notes: &mut Notes) -> String {
    let own = match &row.container {
        Verdict::Works => "ok".to_owned(),
        bad => notes.mark(bad).trim_start().to_owned(),
    };
    match &row.ptp_pod {
        Some(other) if other.works() != row.container.works() => {
            format!("{own}; ptp pod: {}", other.word())
        }
        Some(_) if !row.container.works() => format!("{own}; ptp pod: the same"),
        _ => own,
    }
}

/// Reasons, each once, numbered.
#[derive(Debug, Default)]
struct Notes {
    all: Vec<String>,
}

impl Notes {
    /// The word for what does not work, with the number of its reason.
    fn mark(&mut self, verdict: &Verdict) -> String {
        let Some(why) = verdict.reason() else { return String::new() };
        let index = self.all.iter().position(|note| note == why).unwrap_or_else(|| {
            self.all.push(why.clone());
            self.all.len() - 1
        });
        format!(" {} ({})", verdict.word(), index + 1)
    }

    fn text(&self) -> String {
        if self.all.is_empty() {
            return String::new();
        }
        let lines: Vec<String> =
            self.all.iter().zip(1..).map(|(note, number)| format!("{number}. {note}\n")).collect();
        format!("\n{}", lines.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(mode: &str, container: Verdict, ptp_pod: Verdict) -> Part {
        let cell = Cell { probe: "TCP, IPv4".into(), container: container.clone(), ptp_pod };
        let line = Line { backend: "pod".into(), masquerade: "all".into(), cells: vec![cell] };
        let row = Row { what: "a long connection".into(), container, ptp_pod: None };
        let measures = vec![Measure {
            what: "throughput".into(),
            container: 220.4,
            ptp_pod: 200.0,
            ratio: 1.1,
            equals: 0.98,
        }];
        Part { mode: mode.into(), lines: vec![line], rows: vec![row], measures }
    }

    #[test]
    fn each_mode_has_a_column_and_each_reason_one_number() {
        let cannot = || Verdict::Impossible { why: "no way".into(), seen: "no".into() };
        let text = markdown(&[
            part("iptables", Verdict::Works, Verdict::Works),
            part("IPVS", cannot(), cannot()),
        ]);
        for line in [
            "| backend | kube-proxy masquerades | iptables | IPVS |",
            "| pod | all | ok | TCP, IPv4 impossible (1); ptp pod: the same |",
            "| a long connection | ok | impossible (1) |",
            "1. no way",
            "| throughput | 1.10 (220 : 200), equals 0.98 | 1.10 (220 : 200), equals 0.98 |",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\nis not in\n{text}");
        }
    }
}
