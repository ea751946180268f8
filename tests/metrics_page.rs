//! docs/metrics.md is what the program says; `BLESS=1 cargo test --test metrics_page` writes it. Rules and documents name metrics that there
//! are, and each metric is told by the program.
#![cfg(test)]

use std::{collections::BTreeSet, env, fs, path::Path};

use serde_json::Value;
use vfhook::{
    history::{Histogram, Reason, StepKind, Tally},
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
    for path in ["docs/metrics/alerts.yml", "docs/metrics.md", "docs/errors.md", "README.md"] {
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

/// What Grafana asks by docs/metrics/dashboard.json.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&document("docs/metrics/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array());
    targets.flatten().map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_dashboard_asks_for_every_metric_and_for_no_other() {
    let asked: BTreeSet<String> = queries().iter().flat_map(|query| named(query)).collect();
    let known = samples();
    let strange: Vec<_> = asked.difference(&known).collect();
    assert!(strange.is_empty(), "the dashboard asks for {strange:?}, which nobody tells");
    let is_asked = |family: &&str| {
        ["", "_total", "_bucket", "_count"]
            .iter()
            .any(|end| asked.contains(&format!("{family}{end}")))
    };
    let left: Vec<_> =
        FAMILIES.iter().map(|family| family.name).filter(|name| !is_asked(name)).collect();
    assert!(left.is_empty(), "the dashboard does not show {left:?}");
}

#[test]
fn labels_that_the_dashboard_names_are_told() {
    let told = text(&full(), Format::Text);
    // These a scraper and a histogram put there.
    let is_told =
        |label: &str| ["instance", "le"].contains(&label) || told.contains(&format!("{label}=\""));
    let mut seen = 0;
    for query in queries() {
        let grouped = query.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
        let matched = query.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let names = grouped
            .chain(matched)
            .flat_map(|list| list.split(','))
            .map(|part| part.split(['=', '!', '~']).next().unwrap_or_default().trim().to_owned());
        for label in names {
            assert!(is_told(&label), "{label} is in {query} and never told");
            seen += 1;
        }
        for pair in
            query.split(['{', ',']).filter(|part| part.contains("=\"") && !part.contains("!="))
        {
            let pair = pair.split('}').next().unwrap_or_default();
            assert!(told.contains(pair), "{pair} is in {query} and never told");
        }
    }
    assert!(seen > 30, "{seen} labels");
}

/// As much as there can be.
fn full() -> Facts {
    let states = ["free", "unusable", "leased"];
    let steps = [(StepKind::TakeDevice, Histogram::default())];
    let tally = Tally {
        attached_steps: steps.clone().into(),
        detached_steps: steps.into(),
        ..Tally::default()
    };
    Facts {
        pools: vec![PoolLevel {
            name: "fast".parse().unwrap(),
            kind: "sriov",
            devices: states.map(|state| (state, 1)).into(),
            interfaces: 1,
        }],
        leases: ["reserved", "needs cleanup"].map(|state| (state, LeaseLevel::default())).into(),
        tally: Some(tally),
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
