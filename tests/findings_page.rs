//! docs/findings.md is what the program says; `BLESS=1 cargo test --test findings_page` writes it. Every number that a document names is one.
#![cfg(test)]

use std::{env, fs, path::Path, process::Command};

use vfhook::doctor::{Code, page};

#[test]
fn the_page_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/findings.md");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/findings.md is stale: BLESS=1 cargo test --test findings_page"
    );
}

/// Each kind is made somewhere: a number that nobody can see would be explained for nothing.
#[test]
fn each_kind_is_found_by_some_check() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor");
    let sources: String = fs::read_dir(directory)
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name() != "code.rs")
        .map(|entry| fs::read_to_string(entry.path()).unwrap())
        .collect();
    for code in Code::ALL {
        assert!(sources.contains(&format!("Code::{code:?}")), "{code} {code:?} is never found");
    }
}

#[test]
fn a_number_is_explained_at_the_terminal_and_a_wrong_one_is_refused() {
    let vfhook =
        |words: &[&str]| Command::new(env!("CARGO_BIN_EXE_vfhook")).args(words).output().unwrap();
    for code in Code::ALL {
        let answer = vfhook(&["explain", &code.to_string()]);
        let said = String::from_utf8(answer.stdout).unwrap();
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let known = code.explanation();
        assert!(
            flat.contains(known.title) && flat.contains(known.means) && flat.contains(known.cure),
            "{said}"
        );
        assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    }
    let json = vfhook(&["explain", "VFH0012", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["code"], "VFH0012");
    let wrong = vfhook(&["explain", "VFH9999"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("docs/findings.md"));
}
