//! docs/configuration.md has every key of the configuration, and no other, and all that can be said of a file that is wrong. The keys are those that
//! the program itself tells, where a key is unknown.
#![cfg(test)]

mod support;

use std::{collections::BTreeSet, fs, path::Path};

use support::{
    sentence::{Sentence, phrases, quoted},
    source::sources_in,
};
use vfhook::config::{Problem, parse};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    fs::read_to_string(path).unwrap()
}

/// A key in every table, that nobody knows.
const NONSENSE: &str = r#"
nonsense = 1
version = 1
accept_annotations = ["genie", "multus"]

[[pool]]
kind = "sriov"
nonsense = 1

[[network]]
nonsense = 1
allow = { nonsense = 1 }
cluster = { nonsense = 1 }
vlan = { id = 1, nonsense = 1 }
sysctls = { nonsense = 1 }
routes = [{ to = "10.0.0.0/8", nonsense = 1 }]

[service_path]
nonsense = 1

[cluster]
nonsense = 1

[[service]]
nonsense = 1
backends = [{ nonsense = 1, on = [{ nonsense = 1 }] }]
"#;

/// The path of a table without the numbers of elements, and a dot behind it unless it is the file.
fn table_of(field: &str) -> String {
    let table = field.strip_suffix("nonsense").expect(field);
    let mut numbered = false;
    let letters = table.chars().filter(|letter| {
        numbered = (numbered || *letter == '[') && *letter != ']';
        !numbered && *letter != ']'
    });
    letters.collect()
}

/// Every key, by the path of its table.
fn keys() -> BTreeSet<String> {
    let problems = parse(NONSENSE).unwrap_err();
    let mut keys = BTreeSet::new();
    for Problem { field, message, fix } in &problems {
        if message == "unknown key" {
            let known = fix.strip_prefix("known here: ").unwrap();
            keys.extend(known.split(", ").map(|key| table_of(field) + key));
        }
        // Of a table that is one value, serde tells.
        if let Some((_, known)) = message.split_once("unknown field `nonsense`, expected one of ") {
            let known = known.split(['`', ',', ' ']).filter(|word| !word.is_empty());
            keys.extend(
                known
                    .take_while(|word| *word != "found")
                    .map(|key| format!("{field}.{key}").replace("[0]", "")),
            );
        }
    }
    assert!(keys.len() > 80, "{keys:?}");
    keys
}

#[test]
fn the_page_has_a_heading_for_every_key_and_for_no_other() {
    let page = page();
    let headings: BTreeSet<String> =
        page.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    assert_eq!(headings, keys());
    // Something is said of each, before anything is quoted.
    for part in page.split("\n### ").skip(1) {
        let said = part.split("\n\n").nth(1).unwrap_or_default();
        assert!(said.len() > 6 && !said.starts_with(['>', '#']), "nothing is said of {part}");
    }
}

/// The words of every problem that the readers of the file may find.
fn sentences() -> BTreeSet<Sentence> {
    let texts = sources_in("src/config").into_iter().flat_map(|source| phrases(&source.text));
    let sentences: BTreeSet<_> =
        texts.map(|text| Sentence::of_format(&text)).filter(Sentence::speaks).collect();
    assert!(sentences.len() > 90, "{}", sentences.len());
    sentences
}

#[test]
fn the_page_has_all_that_may_be_said_of_a_file() {
    let page = page();
    // These are the words of errors, which have a page of their own.
    let errors = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md"));
    let errors = errors.unwrap();
    let lines: Vec<&str> = quoted(&page).into_iter().chain(quoted(&errors)).collect();
    let missing: Vec<_> = sentences()
        .into_iter()
        .filter(|sentence| !lines.iter().any(|line| sentence.is_part_of(line)))
        .collect();
    assert!(missing.is_empty(), "docs/configuration.md quotes nothing like {missing:#?}");
}

#[test]
fn the_page_quotes_nothing_that_is_not_said() {
    let (page, sentences) = (page(), sentences());
    let is_said = |line: &&str| sentences.iter().any(|sentence| sentence.is_part_of(line));
    let stale: Vec<&str> = quoted(&page).into_iter().filter(|line| !is_said(line)).collect();
    assert!(stale.is_empty(), "nobody says {stale:#?}");
}
