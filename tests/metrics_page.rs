//! docs/metrics.md is what the program says; `BLESS=1 cargo test --test metrics_page` writes it. Rules and documents name metrics that there
//! are, and each metric is told by the program.
#![cfg(test)]

use std::{collections::BTreeSet, env, fs, path::Path};

use vfhook::{
    history::{Reason, Tally},
    metrics::{FAMILIES, Facts, Format, Kind, LeaseLevel, Nri, PoolLevel, page, text},
};

fn document(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default()
}

/// Everything that a text calls vfhook_….
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let found = text.match_indices("vfhook_").map(|(at, _)| {
        let end = text[at..].find(|letter| !is_part(letter)).map_or(text.len(), |end| at + end);
        text[at..end].to_owned()
    });
    found.collect()
}

/// Every name that a query may have.
fn samples() -> BTreeSet<String> {
    let names = FAMILIES.iter().flat_map(|family| {
        let ends: &[&str] = match family.kind {
            Kind::Gauge => &[""],
            Kind::Counter => &["_total"],
            Kind::Histogram => &["", "_bucket", "_sum", "_count"],
        };
        ends.iter().map(|end| [family.name, end].concat())
    });
    names.collect()
}

#[test]
fn the_page_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/metrics.md is stale: BLESS=1 cargo test --test metrics_page");
}

#[test]
fn rules_and_documents_name_metrics_that_there_are() {
    let known = samples();
    for path in ["docs/metrics/alerts.yml", "docs/metrics.md", "README.md"] {
        for name in named(&document(path)) {
            assert!(known.contains(&name), "{path} names {name}, which nobody tells");
        }
    }
    assert!(named(&document("docs/metrics/alerts.yml")).len() > 5);
}

#[test]
fn reasons_and_states_that_rules_name_are_told() {
    let rules = document("docs/metrics/alerts.yml");
    let told = text(&full(), Format::Text);
    for label in rules.split('{').filter_map(|part| part.split_once('"')) {
        let Some(value) = label.1.split('"').next().filter(|_| label.0.ends_with('=')) else {
            continue;
        };
        let pair = format!("{}\"{value}\"", label.0);
        assert!(told.contains(&pair), "{pair} is in a rule and never told");
    }
}

/// As much as there can be.
fn full() -> Facts {
    let states = ["free", "unusable", "leased"];
    Facts {
        pools: vec![PoolLevel {
            name: "fast".parse().unwrap(),
            kind: "sriov",
            devices: states.map(|state| (state, 1)).into(),
            interfaces: 1,
        }],
        leases: ["reserved", "needs cleanup"].map(|state| (state, LeaseLevel::default())).into(),
        tally: Some(Tally::default()),
        nri: Some(Nri::default()),
        ..Facts::default()
    }
}

#[test]
fn each_metric_is_told_once_with_its_help_and_its_names_are_as_monitoring_wants_them() {
    let names: BTreeSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), FAMILIES.len());
    for family in FAMILIES {
        assert!(!family.name.ends_with("_total"), "{} has it put behind it", family.name);
        assert!(family.help.ends_with('.') && !family.help.contains('|'), "{}", family.name);
        assert!(!family.samples(&full()).is_empty(), "{} is never told", family.name);
        let is_time = matches!(family.kind, Kind::Histogram) || family.help.starts_with("How long");
        assert_eq!(is_time, family.name.ends_with("_seconds"), "{}", family.name);
    }
    for format in [Format::Text, Format::OpenMetrics] {
        let told = text(&full(), format);
        let helps = told.lines().filter(|line| line.starts_with("# HELP ")).count();
        assert_eq!(helps, FAMILIES.len(), "{told}");
        // One line, one number.
        let lines: Vec<&str> = told.lines().filter(|line| !line.starts_with('#')).collect();
        let unique: BTreeSet<&str> =
            lines.iter().filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect();
        assert_eq!(unique.len(), lines.len(), "{told}");
    }
    assert!(Reason::ALL.iter().all(|reason| text(&full(), Format::Text).contains(reason.as_str())));
}
