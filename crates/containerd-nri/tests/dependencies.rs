//! What the crate depends on, with all its features and what builds it: licences that a user may take, crates.io and nothing else,
//! compilers no newer than the one that is promised, and no C; and nothing of who uses it. Asks cargo; 0.3 s.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What asks for nothing but its notice.
const LICENCES: [&str; 8] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// What needs a C compiler or a library of the system: none of it belongs below a plugin.
const BANNED: [&str; 5] = ["bindgen", "cc", "cmake", "openssl-sys", "pkg-config"];

#[test]
fn dependencies_are_few_free_and_old_enough() {
    let all = metadata();
    let promised = number(env!("CARGO_PKG_RUST_VERSION"));
    let mut wrong = Vec::new();
    let packages = dependencies(&all);
    for package in &packages {
        let of = |key: &str| package[key].as_str().unwrap_or_default();
        let name = format!("{} {}", of("name"), of("version"));
        if !is_free(of("license")) {
            wrong.push(format!("{name} has the licence {:?}", of("license")));
        }
        if of("source") != "registry+https://github.com/rust-lang/crates.io-index" {
            wrong.push(format!("{name} comes from {:?}", of("source")));
        }
        if BANNED.contains(&of("name")) {
            wrong.push(format!("{name} is banned"));
        }
        if number(of("rust_version")) > promised {
            wrong.push(format!("{name} needs Rust {}", of("rust_version")));
        }
    }
    assert!(packages.len() > 20, "cargo told of {} crates only", packages.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The packages that are developed beside it see what everybody sees, and it knows none of them.
#[test]
fn nothing_in_it_is_for_its_neighbours() {
    let all = metadata();
    let members = all["workspace_members"].as_array().unwrap();
    let packages = all["packages"].as_array().unwrap();
    let names: Vec<&str> = packages
        .iter()
        .filter(|package| members.contains(&package["id"]))
        .map(|package| package["name"].as_str().unwrap())
        .filter(|name| *name != env!("CARGO_PKG_NAME"))
        .collect();
    let mut found = Vec::new();
    for path in files(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let text = text.to_lowercase();
        // What is public and hidden would be for somebody.
        let hidden = concat!("doc(", "hidden)");
        for word in names.iter().copied().chain([hidden]).filter(|word| text.contains(*word)) {
            found.push(format!("{} has {word}", path.display()));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// All below a folder but what is built.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut found): (Vec<_>, Vec<_>) =
        entries.filter(|path| !path.ends_with("target")).partition(|path| path.is_dir());
    found.extend(folders.iter().flat_map(|folder| files(folder)));
    found
}

#[test]
fn a_licence_is_free_if_one_of_its_choices_is() {
    for free in [
        "MIT",
        "MIT OR Apache-2.0",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR GPL-2.0) AND Unicode-3.0",
    ] {
        assert!(is_free(free), "{free}");
    }
    for other in ["", "GPL-2.0", "MIT AND GPL-3.0", "LGPL-2.1 OR GPL-2.0", "MPL-2.0"] {
        assert!(!is_free(other), "{other}");
    }
}

fn metadata() -> Value {
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).unwrap()
}

/// The packages that a user of this one builds.
fn dependencies(all: &Value) -> Vec<&Value> {
    let list = |value: &'static str| all[value].as_array().unwrap();
    let packages: BTreeMap<&str, &Value> =
        list("packages").iter().map(|package| (package["id"].as_str().unwrap(), package)).collect();
    let nodes: BTreeMap<&str, &Value> = all["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let own = packages.values().find(|package| package["name"] == env!("CARGO_PKG_NAME")).unwrap();
    let mut todo = vec![own["id"].as_str().unwrap()];
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            let id = dependency["pkg"].as_str().unwrap();
            if kinds.iter().any(|kind| kind["kind"] != "dev") && seen.insert(id) {
                todo.push(id);
            }
        }
    }
    seen.into_iter().map(|id| packages[id]).collect()
}

/// Whether what a licence's words ask for is in the list: one of the choices, all of what comes together.
fn is_free(licence: &str) -> bool {
    let both = |part: &str| part.split(" AND ").all(|word| LICENCES.contains(&word.trim()));
    match licence.strip_prefix('(').and_then(|rest| rest.split_once(") AND ")) {
        Some((choices, more)) => is_free(choices) && is_free(more),
        None => licence.replace('/', " OR ").split(" OR ").any(both),
    }
}

/// A version of the compiler, to compare; none is older than all.
fn number(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}
