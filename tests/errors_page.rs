//! docs/errors.md has every error text of the programs and every hint, and none that nobody says: the texts are read from the sources.
//! That a cure mends what it is for, the tests of the errors show.
#![cfg(test)]

mod support;

use std::{collections::BTreeMap, fs, path::Path};

use support::{
    sentence::{Sentence, of_errors, quoted, said_after},
    source::{Source, sources_in},
};

/// What is built, and what of it only tests hear.
const PROGRAMS: [&str; 5] = [
    "src",
    "crates/containerd-nri/src",
    "crates/grpc-unix/src",
    "crates/socket-translation/src",
    "crates/vfhook-agent/src",
];
const OF_TESTS: &str = "fake/";

fn document(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn programs() -> Vec<Source> {
    let all = PROGRAMS.iter().flat_map(|folder| sources_in(folder));
    all.filter(|source| !source.path.starts_with(OF_TESTS)).collect()
}

/// Every sentence that says something, with the file that it is from.
fn sentences() -> BTreeMap<Sentence, String> {
    let mut found = BTreeMap::new();
    for source in programs() {
        let refusals = said_after(&source.text, "Refusal::because(");
        let refusals = refusals.iter().map(|text| Sentence::of_format(text));
        for sentence in of_errors(&source.text).into_iter().chain(refusals) {
            if sentence.speaks() {
                found.insert(sentence, source.path.clone());
            }
        }
    }
    assert!(found.len() > 180, "{} sentences", found.len());
    found
}

#[test]
fn the_page_has_every_error_text() {
    // Those of the configuration stand beside its keys.
    let pages = ["docs/errors.md", "docs/configuration.md"].map(document);
    let lines: Vec<&str> = pages.iter().flat_map(|page| quoted(page)).collect();
    let missing: Vec<_> = sentences()
        .into_iter()
        .filter(|(sentence, _)| !lines.iter().any(|line| sentence.is(line)))
        .map(|(sentence, path)| format!("{path}: {sentence:?}"))
        .collect();
    assert!(missing.is_empty(), "docs/errors.md has no line of quotation for {missing:#?}");
}

#[test]
fn the_page_has_no_error_that_nobody_says() {
    let sentences = sentences();
    let page = document("docs/errors.md");
    let stale: Vec<&str> = quoted(&page)
        .into_iter()
        .filter(|line| !sentences.keys().any(|sentence| sentence.is(line)))
        .collect();
    assert!(stale.is_empty(), "nobody says {stale:#?}");
}

/// What the program adds to an error, in its own words: who reads the page at night finds what the terminal said.
#[test]
fn the_page_has_every_hint() {
    let page = document("docs/errors.md");
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut hints = Vec::new();
    for source in programs() {
        for function in source.code.split("fn hint(").skip(1) {
            let body = function.split("\n    }\n").next().unwrap();
            hints.extend(support::sentence::phrases(body));
        }
        for constant in ["const RIGHTS: &str =", "const CONFIGURATION: &str ="] {
            if source.path == "frontend/failure.rs" {
                let rest = source.code.split(constant).nth(1).unwrap();
                hints.extend(support::sentence::phrases(rest.split(";\n").next().unwrap()));
            }
        }
    }
    assert!(hints.len() > 14, "{hints:?}");
    let missing: Vec<_> = hints.iter().filter(|hint| !page.contains(hint.as_str())).collect();
    assert!(missing.is_empty(), "docs/errors.md lacks {missing:#?}");
}

/// Under each text, or each group of them, something is said.
#[test]
fn each_error_is_explained() {
    let page = document("docs/errors.md");
    for part in page.split("\n\n>").skip(1) {
        let first = part.lines().next().unwrap();
        let after = part.split("\n\n").nth(1).unwrap_or_default();
        assert!(after.len() > 40 && !after.starts_with(['>', '#']), "nothing is said of {first}");
    }
}

#[test]
fn a_sentence_is_known_by_its_words() {
    let sentence = Sentence::of_format("pool {pool}: no free VF ({leased} of {total} leased{})");
    assert!(sentence.is("pool fast: no free VF (6 of 6 leased, not usable: 0000:01:10.3)"));
    assert!(!sentence.is("pool fast: no free VF"));
    assert!(!sentence.is("the pool fast: no free VF (6 of 6 leased)"));
    assert!(!Sentence::of_format("{operation} {object}").speaks());
    assert!(Sentence::of_format("set {{x}} of {0:?}").is("set {x} of y"));
    let plain = Sentence::of_format("use the terminal");
    assert!(plain.is("use the terminal") && !plain.is("use the terminal now"));
    let source =
        "#[error(\"a \\\n     {b} \\\"c\\\"\")]\n#[error(transparent)]\n// #[error(\"d\")]\n";
    assert_eq!(of_errors(source), [Sentence::of_format("a {b} \"c\"")].into());
}
