//! Metrics as text, in the two forms that are read: Prometheus' own (0.0.4) and OpenMetrics 1.0. They differ in what a counter's type is
//! told of, in units, and in the end.

use std::fmt::Write as _;

use super::{FAMILIES, Facts, Family, Kind, Value};
use crate::history::{Bounds, Histogram};

/// Which form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// What every reader understands.
    #[default]
    Text,
    /// For who asks for it.
    OpenMetrics,
}

impl Format {
    /// By what a client accepts: Prometheus names OpenMetrics first where it wants that.
    pub fn accepted(accept: &str) -> Self {
        let open = |part: &str| {
            let mut words = part.split(';').map(str::trim);
            let is_it = words.next() == Some("application/openmetrics-text");
            is_it && !words.any(|word| matches!(word, "q=0" | "q=0.0"))
        };
        if accept.split(',').any(open) { Self::OpenMetrics } else { Self::Text }
    }

    /// As a client is told.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics.
pub fn text(facts: &Facts, format: Format) -> String {
    let mut text = String::new();
    for family in FAMILIES {
        // Writing to memory does not fail.
        let _ = tell(&mut text, family, facts, format);
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn tell(
    text: &mut String,
    family: &Family,
    facts: &Facts,
    format: Format,
) -> Result<(), std::fmt::Error> {
    let samples = family.samples(facts);
    if samples.is_empty() {
        return Ok(());
    }
    let name = family.name;
    let total = if family.kind == Kind::Counter { "_total" } else { "" };
    let named = if format == Format::Text { total } else { "" };
    writeln!(text, "# TYPE {name}{named} {}", family.kind.as_str())?;
    if format == Format::OpenMetrics && name.ends_with("_seconds") {
        writeln!(text, "# UNIT {name} seconds")?;
    }
    writeln!(text, "# HELP {name}{named} {}", help(family.help, format))?;
    for sample in samples {
        let labels: Vec<String> = sample
            .labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        match &sample.value {
            Value::Whole(number) => {
                writeln!(text, "{name}{total}{} {number}", braced(&labels))?;
            }
            Value::Times(times, bounds) => histogram(text, name, &labels, times, bounds)?,
        }
    }
    Ok(())
}

fn histogram(
    text: &mut String,
    name: &str,
    labels: &[String],
    times: &Histogram,
    bounds: &Bounds,
) -> Result<(), std::fmt::Error> {
    let mut below = 0;
    for (place, count) in times.counts.iter().enumerate() {
        below += count;
        let bound = bounds.get(place).map_or_else(|| "+Inf".to_owned(), |us| seconds(*us));
        let bound = [format!("le=\"{bound}\"")];
        writeln!(text, "{name}_bucket{} {below}", braced(&[labels, &bound].concat()))?;
    }
    writeln!(text, "{name}_sum{} {}", braced(labels), seconds(times.sum))?;
    writeln!(text, "{name}_count{} {below}", braced(labels))
}

/// Microseconds as a number of seconds.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

fn braced(labels: &[String]) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A quotation mark is escaped in one of them alone.
fn help(text: &str, format: Format) -> String {
    match format {
        Format::Text => text.replace('\\', "\\\\"),
        Format::OpenMetrics => escaped(text),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        history::{BOUNDS, StepKind, Tally, Way},
        metrics::{LeaseLevel, Nri, PoolLevel},
    };

    fn facts() -> Facts {
        let pool = PoolLevel {
            name: "fast".parse().unwrap(),
            kind: "sriov",
            devices: BTreeMap::from([("free", 3), ("leased", 5)]),
            interfaces: 5,
        };
        let mut counts = [0; BOUNDS.len() + 1];
        (counts[0], counts[4], counts[13]) = (1, 2, 1);
        let times = Histogram { counts, sum: 2_500_250 };
        let tally = Tally {
            attached: BTreeMap::from([(Way::Nri, times.clone())]),
            attached_steps: BTreeMap::from([(StepKind::TakeDevice, times.clone())]),
            failed: 7,
            ..Tally::default()
        };
        Facts {
            pools: vec![pool],
            leases: BTreeMap::from([("attached", LeaseLevel { count: 5, oldest: 60 })]),
            tally: Some(tally),
            nri: Some(Nri { serving: true, connections: 2, left: times }),
            ..Facts::default()
        }
    }

    #[test]
    fn both_forms_say_the_same_numbers() {
        let (plain, open) = (text(&facts(), Format::Text), text(&facts(), Format::OpenMetrics));
        for line in [
            "vfhook_pool_devices{pool=\"fast\",kind=\"sriov\",state=\"free\"} 3",
            "vfhook_leases{state=\"attached\"} 5",
            "vfhook_attach_seconds_bucket{frontend=\"nri\",le=\"0.001\"} 1",
            "vfhook_attach_seconds_bucket{frontend=\"nri\",le=\"0.016\"} 3",
            "vfhook_attach_seconds_bucket{frontend=\"nri\",le=\"1.4\"} 3",
            "vfhook_attach_seconds_bucket{frontend=\"nri\",le=\"+Inf\"} 4",
            "vfhook_attach_seconds_sum{frontend=\"nri\"} 2.50025",
            "vfhook_attach_seconds_count{frontend=\"nri\"} 4",
            "vfhook_attach_seconds_count{frontend=\"hook\"} 0",
            "vfhook_attach_step_seconds_bucket{step=\"take-device\",le=\"0.00005\"} 1",
            "vfhook_attach_step_seconds_bucket{step=\"take-device\",le=\"1.0\"} 3",
            "vfhook_attach_step_seconds_count{step=\"take-device\"} 4",
            "vfhook_nri_left_seconds_bucket{le=\"0.001\"} 1",
            "vfhook_nri_left_seconds_count 4",
            "vfhook_refusals_total{reason=\"no-device\"} 0",
            "vfhook_failures_total{outcome=\"put-back\"} 7",
            "vfhook_nri_connections_total 2",
        ] {
            assert!(plain.lines().any(|told| told == line), "{line}\n{plain}");
            assert!(open.lines().any(|told| told == line), "{line}\n{open}");
        }
        assert!(plain.contains("# TYPE vfhook_failures_total counter\n"));
        assert!(open.contains("# TYPE vfhook_failures counter\n") && open.ends_with("# EOF\n"));
        assert!(open.contains("# UNIT vfhook_attach_seconds seconds\n"));
        assert!(!plain.contains("# UNIT") && !plain.contains("# EOF"));
    }

    #[test]
    fn what_nobody_knows_is_not_told_as_none() {
        let told = text(&Facts::default(), Format::Text);
        for absent in ["vfhook_refusals", "vfhook_nri_up", "vfhook_attach_seconds"] {
            assert!(!told.contains(absent), "{told}");
        }
        assert!(told.contains("vfhook_history_up 0\n"));
    }

    #[test]
    fn the_form_is_the_clients_choice() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        for plain in ["", "*/*", "text/plain", "application/openmetrics-text;q=0"] {
            assert_eq!(Format::accepted(plain), Format::Text, "{plain}");
        }
    }

    #[test]
    fn a_label_says_what_it_is_and_no_more() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
        for (us, text) in [(0, "0.0"), (1000, "0.001"), (1_400_000, "1.4"), (2_000_000, "2.0")] {
            assert_eq!(seconds(us), text);
        }
    }
}
