//! The corpora of the fuzz targets run through the bodies of these: what was found once stays found, without nightly and
//! without a fuzzer.
#![cfg(test)]

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library to the fuzz targets")]
mod bodies;

use std::{collections::BTreeSet, fs, path::Path};

/// Files that a corpus has at least: fewer, and the replay shows little.
const FEWEST: usize = 10;

/// Bytes that a file of a corpus has at most.
const LONGEST: usize = 4096;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_target_takes_its_whole_corpus() {
    let mut broken = Vec::new();
    for (target, body) in bodies::BODIES {
        let corpus = folder().join("corpus").join(target);
        let files = names(&corpus);
        assert!(files.len() >= FEWEST, "{target} has only {} files", files.len());
        for file in files {
            let data = fs::read(corpus.join(&file)).unwrap();
            assert!(data.len() <= LONGEST, "{target}/{file} has {} bytes", data.len());
            if std::panic::catch_unwind(|| body(&data)).is_err() {
                broken.push(format!("{target}/{file}"));
            }
        }
    }
    assert!(broken.is_empty(), "not survived, see above: {}", broken.join(", "));
}

#[test]
fn every_body_has_a_target_and_a_corpus() {
    let bodies: Vec<&str> = bodies::BODIES.iter().map(|(name, _)| *name).collect();
    assert_eq!(names(&folder().join("corpus")), bodies);
    let targets: Vec<String> = bodies.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&folder().join("targets")), targets);
}

/// `fuzz` is no member of the workspace, so nothing else sees that its lock lacks what a manifest here came to name.
#[test]
fn the_lock_knows_what_the_manifests_name() {
    let lock = table(&folder().join("Cargo.lock"));
    let packages = lock["package"].as_array().unwrap();
    let own = packages.iter().filter(|package| package.get("source").is_none());
    let mut seen = 0;
    for package in own {
        let name = package["name"].as_str().unwrap();
        let root = folder().parent().unwrap();
        let path = match name {
            "vfhook" => root.join("Cargo.toml"),
            "vfhook-fuzz" => folder().join("Cargo.toml"),
            _ => root.join("crates").join(name).join("Cargo.toml"),
        };
        let manifest = table(&path);
        // Some need nothing.
        let named = manifest.get("dependencies").and_then(toml::Value::as_table);
        let named = named.cloned().unwrap_or_default();
        // With two versions of a crate the lock says which.
        let locked = package.get("dependencies").and_then(toml::Value::as_array);
        let locked = locked.into_iter().flatten();
        let locked: BTreeSet<&str> =
            locked.map(|entry| entry.as_str().unwrap().split(' ').next().unwrap()).collect();
        // What nobody asks for by a feature is not in it.
        let is_asked = |(_, wants): &(&String, &toml::Value)| {
            wants.get("optional").and_then(toml::Value::as_bool) != Some(true)
        };
        let mut asked = named.iter().filter(is_asked).map(|(dependency, _)| dependency.as_str());
        let lacks = asked.find(|dependency| !locked.contains(dependency));
        assert_eq!(lacks, None, "of {name}; in fuzz/: cargo update --workspace");
        let strange = locked.iter().find(|dependency| !named.contains_key(**dependency));
        assert_eq!(strange, None, "of {name}; in fuzz/: cargo update --workspace");
        seen += 1;
    }
    assert!(seen > 3, "{seen} packages");
}

fn table(path: &Path) -> toml::Table {
    fs::read_to_string(path).unwrap().parse().unwrap()
}
