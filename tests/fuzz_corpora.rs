//! The corpora of the fuzz targets run through the bodies of these: what was found once stays found, without nightly and
//! without a fuzzer.
#![cfg(test)]

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library to the fuzz targets")]
mod bodies;

use std::{fs, path::Path};

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
