//! One mode's part of the table in plain text, narrow enough for a terminal.

use std::fmt::Write as _;

use super::{Cell, Measure, Part, Row, Verdict};

/// The part, and below it what needs words.
pub(crate) fn text(part: &Part) -> String {
    let mut text = format!("kube-proxy in {} mode: a container with a VF and svc0\n\n", part.mode);
    let probes: Vec<&str> = part
        .lines
        .first()
        .map(|line| line.cells.iter().map(|cell| cell.probe.as_str()).collect())
        .unwrap_or_default();
    let _ = write!(text, "{:<18} {:<16}", "backend", "masquerade");
    for number in 1..=probes.len() {
        let _ = write!(text, " {:<6}", format!("({number})"));
    }
    text.push('\n');
    let mut notes = Vec::new();
    for line in &part.lines {
        let _ = write!(text, "{:<18} {:<16}", line.backend, line.masquerade);
        for cell in &line.cells {
            let _ = write!(text, " {:<6}", short(cell));
            note(&format!("{}, {}", line.backend, cell.probe), &cell.container, &mut notes);
        }
        text.push('\n');
    }
    let legend: Vec<String> =
        probes.iter().zip(1..).map(|(probe, number)| format!("({number}) {probe}")).collect();
    let _ = writeln!(text, "{}\n", legend.join("  "));
    for row in &part.rows {
        let _ = writeln!(text, "{:<62} {}", row.what, verdicts(row));
        note(&row.what, &row.container, &mut notes);
    }
    for measure in &part.measures {
        let Measure { what, container, ptp_pod, ratio, equals } = measure;
        let _ = writeln!(
            text,
            "{what:<34} {container:>5.0}, ptp pod {ptp_pod:>5.0}: {ratio:.2} (equals {equals:.2})"
        );
    }
    if !notes.is_empty() {
        let _ = write!(text, "\n{}\n", notes.join("\n"));
    }
    text
}

/// Both verdicts when they differ.
fn short(cell: &Cell) -> String {
    let word = |verdict: &Verdict| if verdict.works() { "ok" } else { "no" };
    let (own, other) = (word(&cell.container), word(&cell.ptp_pod));
    if own == other { own.to_owned() } else { format!("{own}|{other}") }
}

fn verdicts(row: &Row) -> String {
    let own = row.container.word();
    match &row.ptp_pod {
        Some(other) if other.works() != row.container.works() => {
            format!("{own} (ptp pod: {})", other.word())
        }
        _ => own.to_owned(),
    }
}

fn note(about: &str, verdict: &Verdict, notes: &mut Vec<String>) {
    let seen = match verdict {
        Verdict::Impossible { seen, .. } => format!("; seen: {seen}"),
        _ => String::new(),
    };
    if let Some(why) = verdict.reason() {
        notes.push(format!("{about}: {}: {why}{seen}", verdict.word()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Line;
    use super::*;

    #[test]
    fn what_differs_shows_both_and_what_does_not_work_is_explained() {
        let why = Verdict::Impossible { why: "it is far".into(), seen: "no answer".into() };
        let cell =
            Cell { probe: "TCP, IPv4".into(), container: why.clone(), ptp_pod: Verdict::Works };
        let line = Line { backend: "the moon".into(), masquerade: "all".into(), cells: vec![cell] };
        let row = Row { what: "a long way".into(), container: why, ptp_pod: None };
        let measures = vec![Measure {
            what: "throughput to a service (MiB/s)".into(),
            container: 220.0,
            ptp_pod: 200.0,
            ratio: 1.1,
            equals: 0.98,
        }];
        let text =
            text(&Part { mode: "IPVS".into(), lines: vec![line], rows: vec![row], measures });
        assert!(text.contains("no|ok"), "{text}");
        assert!(text.contains("TCP, IPv4: impossible: it is far; seen: no answer"), "{text}");
        assert!(text.contains("220, ptp pod   200: 1.10 (equals 0.98)"), "{text}");
        assert!(text.lines().all(|line| line.trim_end().chars().count() <= 80), "{text}");
    }
}
