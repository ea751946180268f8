//! The program as a person types it. What it does for a cluster is in the workspace's `tests/netns/claims.rs` and in the lab.
#![cfg(test)]

use std::{
    fs,
    process::{Command, Output},
};

fn agent(words: &[&str], config: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    fs::write(&path, config).unwrap();
    let mut agent = Command::new(env!("CARGO_BIN_EXE_vfhook-agent"));
    for name in ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "NODE_NAME"] {
        agent.env_remove(name);
    }
    agent.arg("--config").arg(path).args(words).output().unwrap()
}

const CONFIG: &str = r#"version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["p0"]
publish = "dra"
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
"#;

#[test]
fn classes_are_what_kubectl_takes() {
    let told = agent(&["classes"], CONFIG);
    assert!(told.status.success(), "{told:?}");
    let list: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&list["kind"], &list["items"][0]["kind"]), (&"List".into(), &"DeviceClass".into()));
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    for (words, config, said) in [
        (&["classes"][..], "version = 1\n", "publish = \"dra\""),
        (&["classes"], "version = 2\n", "version"),
        (&["serve"], CONFIG, "--api-server https://HOST:PORT"),
        (&["serve", "--api-server", "http://a"], CONFIG, "expected https://HOST"),
        (&["serve", "--api-server", "https://a", "--api-ca", "/nonesuch"], CONFIG, "/nonesuch"),
    ] {
        let told = agent(words, config);
        let error = String::from_utf8_lossy(&told.stderr).into_owned();
        assert_eq!(told.status.code(), Some(2), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
    }
}

/// The book's page has each verb and option that the program tells of.
#[test]
fn the_book_has_every_verb_and_option() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../../docs/verbs.md")).unwrap();
    let (_, page) = page.split_once("## vfhook-agent\n").unwrap();
    let help = |words: &[&str]| String::from_utf8(agent(words, CONFIG).stdout).unwrap();
    let verbs = help(&["--help"]);
    let (_, verbs) = verbs.split_once("Commands:\n").unwrap();
    let verbs = verbs.split("\n\n").next().unwrap().lines();
    let verbs: Vec<&str> = verbs
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() > 3, "{verbs:?}");
    let mut seen = 0;
    for verb in verbs {
        assert!(page.contains(&format!("| `{verb}` |")), "{verb}");
        let said = help(&[verb, "--help"]);
        for option in said.lines().filter_map(|line| line.trim_start().strip_prefix("--")) {
            let name = option.split([' ', '=']).next().unwrap();
            assert!(page.contains(&format!("| `--{name} ")), "--{name} of {verb}");
            seen += 1;
        }
    }
    assert!(seen > 12, "{seen} options");
}
