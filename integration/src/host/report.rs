//! Turns finished scenarios into lines: one as each ends, a table at the end, the counts last. It must not run anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::run::Finished;

/// No line is wider, whatever a failure says.
const WIDTH: usize = 80;
/// How much of a failure the line for one scenario shows.
const SHOWN_LINES: usize = 40;

/// What is said when a scenario ends.
pub(crate) fn ended(finished: &Finished) -> String {
    let mut text = format!(
        "{:<6} {:<24} {:>7.1} s  {:>3} checks",
        verdict(finished),
        finished.name,
        finished.whole_time.as_secs_f64(),
        finished.checks
    );
    for bad in &finished.bad_boots {
        let _ = write!(text, "\n    a bad boot: it {}: {}", bad.kind(), bad.seen());
    }
    if let Some(failure) = &finished.failure {
        for line in failure.lines().take(SHOWN_LINES) {
            let _ = write!(text, "\n    {line}");
        }
        let left = failure.lines().count().saturating_sub(SHOWN_LINES);
        if left > 0 {
            let _ = write!(text, "\n    ... {left} more lines");
        }
        let _ = write!(text, "\n    kept in {}", finished.kept.display());
        let _ = write!(text, "\n    read it with: cargo lab logs {}", finished.name);
    }
    text
}

/// The table and the counts.
pub(crate) fn summary(all: &[Finished]) -> String {
    let mut text = format!("\n{:<24} {:>9} {:>9}  verdict\n", "scenario", "whole", "scenario");
    for finished in all {
        let reason = finished.failure.as_deref().and_then(|failure| failure.lines().next());
        let row = format!(
            "{:<24} {:>9} {:>9}  {}{}",
            finished.name,
            seconds(Some(finished.whole_time)),
            seconds(finished.scenario_time),
            verdict(finished),
            reason.map_or_else(String::new, |reason| format!(": {reason}"))
        );
        let _ = writeln!(text, "{}", cut(&row));
    }
    text.push_str(&bad_boots(all));
    let failed = all.iter().filter(|finished| finished.failure.is_some()).count();
    let passed = all.len() - failed;
    let _ = write!(text, "lab: {passed} passed, {failed} failed\n{passed} passed, {failed} failed");
    text
}

/// How many boots said nothing about their scenario, by what made them so.
fn bad_boots(all: &[Finished]) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for bad in all.iter().flat_map(|finished| &finished.bad_boots) {
        *kinds.entry(bad.kind()).or_default() += 1;
    }
    if kinds.is_empty() {
        return String::new();
    }
    let total: usize = kinds.values().sum();
    let each: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    format!("lab: bad boots: {total} ({})\n", each.join(", "))
}

fn verdict(finished: &Finished) -> &'static str {
    if finished.failure.is_none() { "passed" } else { "FAILED" }
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".into(), |time| format!("{:.1} s", time.as_secs_f64()))
}

fn cut(row: &str) -> String {
    if row.chars().count() <= WIDTH {
        return row.to_owned();
    }
    row.chars().take(WIDTH - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::boot::BadBoot;
    use super::*;

    fn finished(name: &'static str, failure: Option<&str>) -> Finished {
        Finished {
            name,
            failure: failure.map(str::to_owned),
            scenario_time: Some(Duration::from_millis(4200)),
            checks: 12,
            whole_time: Duration::from_secs(11),
            bad_boots: Vec::new(),
            kept: "/cache/runs/x".into(),
        }
    }

    #[test]
    fn the_summary_is_narrow_and_ends_with_the_counts() {
        let all = [finished("by_hand", None), finished("rollback", Some(&"no ".repeat(60)))];
        let text = summary(&all);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.ends_with("lab: 1 passed, 1 failed\n1 passed, 1 failed"), "{text}");
    }

    #[test]
    fn a_failure_is_shown_with_the_place_where_everything_is_kept() {
        let text = ended(&finished("rollback", Some("first\nsecond")));
        assert!(text.contains("    second") && text.contains("/cache/runs/x"), "{text}");
        assert!(text.contains("cargo lab logs rollback"), "{text}");
    }

    #[test]
    fn bad_boots_are_told_and_counted_and_are_no_failures() {
        let mut one = finished("by_hand", None);
        one.bad_boots = vec![
            BadBoot::NeverUp("the guest hung".into()),
            BadBoot::WrongClock("it counted 46 s".into()),
        ];
        let mut other = finished("rollback", None);
        other.bad_boots = vec![BadBoot::NeverUp("the guest hung".into())];
        assert!(ended(&one).contains("a bad boot: it had a wrong clock: it counted 46 s"));
        let text = summary(&[one, other]);
        assert!(
            text.contains("\nlab: bad boots: 3 (1 had a wrong clock, 2 never came up)\n"),
            "{text}"
        );
        assert!(text.ends_with("2 passed, 0 failed"), "{text}");
        assert!(!summary(&[finished("by_hand", None)]).contains("bad boots"));
    }
}
