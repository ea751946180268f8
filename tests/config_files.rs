//! Configuration files as operators write them, right and wrong. The name of a file is the case; beside each wrong
//! one stands what must be said about it, line for line. `BLESS=1` writes those files anew, to be read before they
//! are kept.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use vfhook::{
    config::{self, Config, ConfigError, Meaning, PoolKind, ServicePathMode, Tool},
    types::Reset,
};

fn cases(kind: &str) -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config").join(kind);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let cases: BTreeMap<_, _> =
        files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)).collect();
    assert!(cases.len() >= 10, "only {} {kind} files", cases.len());
    cases
}

fn right(name: &str) -> Config {
    config::load(&cases("valid")[name]).unwrap()
}

/// What is said about a file, one problem a line.
fn problems(path: &Path) -> String {
    match config::load(path) {
        Err(ConfigError::Wrong { problems, .. }) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            lines.join("\n") + "\n"
        }
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn right_files_have_no_problem() {
    for (name, path) in cases("valid") {
        let loaded = config::load(&path);
        assert!(loaded.is_ok(), "{name}: {loaded:?}");
    }
}

#[test]
fn wrong_files_have_exactly_the_problems_beside_them() {
    let mut wrong = Vec::new();
    for (name, path) in cases("invalid") {
        let beside = path.with_extension("err");
        let found = problems(&path);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&beside, &found).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}: expected\n{expected}found\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_expectation_is_without_its_file() {
    let folder = cases("invalid").into_values().next().unwrap().parent().unwrap().to_owned();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (toml, err) = (path.with_extension("toml"), path.with_extension("err"));
        assert!(toml.exists() && err.exists(), "{}", path.display());
    }
}

#[test]
fn five_mistakes_are_five_reports() {
    assert_eq!(problems(&cases("invalid")["five_mistakes"]).lines().count(), 5);
}

#[test]
fn a_problem_is_one_printable_line_with_its_field() {
    for (name, path) in cases("invalid") {
        let Err(ConfigError::Wrong { problems, .. }) = config::load(&path) else {
            panic!("{name}")
        };
        assert!(!problems.is_empty(), "{name}");
        for problem in problems {
            let line = problem.to_string();
            assert!(!line.contains(char::is_control), "{name}: {line:?}");
            assert!(!problem.field.is_empty() && !problem.message.is_empty(), "{name}: {line}");
        }
    }
}

#[test]
fn what_a_file_says_is_what_is_understood() {
    let config = right("every_selector");
    let pool = &config.pools[&"fast".parse().unwrap()];
    assert_eq!((pool.kind, pool.num_vfs, pool.up), (PoolKind::Sriov, Some(8), true));
    assert_eq!(pool.reset, Reset::Function);
    assert_eq!(right("pool_only").pools.values().next().unwrap().reset, Reset::None);
    let indexes: Vec<u32> = (0..9).filter(|index| pool.selector.wants_index(*index)).collect();
    assert_eq!(indexes, [0, 1, 2, 3, 5, 7]);
    assert_eq!(pool.selector.vendor, [0x8086, 0x15b3]);

    let config = right("every_attribute");
    let network = &config.networks[&"storage".parse().unwrap()];
    assert_eq!((network.mtu, network.attributes.rate), (Some(9000), Some((10, 100))));
    assert_eq!(network.attributes.vlan.unwrap().id, 4094);
    assert_eq!(network.best_effort.len(), 6);
    assert!(network.default_route && network.allow.mac && network.allow.addresses);
    assert!(network.allow.cdi && !right("plain").networks.values().any(|any| any.allow.cdi));
    assert_eq!(right("runtime").runtime, Some("/usr/bin/crun".into()));
    assert!(network.allow.permits(Some("prod-7")) && !network.allow.permits(Some("dev")));

    let config = right("network_addresses");
    let checks = |name: &str| config.networks[&name.parse().unwrap()].conflict_check;
    assert!(checks("storage") && !checks("backup"));

    let config = right("accept_annotations");
    let means = |tool, spellings: &[&str]| match config.meaning(tool, spellings) {
        Meaning::Network(name, _) => name.to_string(),
        Meaning::Another => "another".to_owned(),
        Meaning::Unknown => "unknown".to_owned(),
    };
    let genie = ["sriov", "Romana", "calico", "intel_sriov.v2", "storage", "cilium"];
    let means_to_genie = genie.map(|word| means(Tool::Genie, &[word]));
    assert_eq!(means_to_genie, ["storage", "another", "another", "storage", "storage", "unknown"]);
    let multus = ["team-a/fast", "team-b/fast", "team-a/fast.v2", "team-a/bridge", "x/storage"];
    let means_to_multus =
        multus.map(|word| means(Tool::Multus, &[word, word.split_once('/').unwrap().1]));
    assert_eq!(means_to_multus, ["storage", "another", "storage", "another", "storage"]);
    assert!(right("smallest").accept.is_empty());

    assert_eq!(right("smallest").service_path.mode, ServicePathMode::Off);
    assert_eq!(right("service_path_existing").service_path.mode, ServicePathMode::Existing);
    assert_eq!(right("single_values_for_lists").networks.len(), 1);
}

#[test]
fn a_file_that_is_not_there_is_told_by_its_path() {
    let path = Path::new("/nonexistent/vfhook.toml");
    let error = config::load(path).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }));
    assert!(error.to_string().contains("/nonexistent/vfhook.toml"), "{error}");
}
