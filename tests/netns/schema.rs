//! What the program says with `--json` fits docs/schema: each verb at least once here, and whatever else the namespace tests ask
//! (`netns_support/command.rs` looks at each answer).

use std::{collections::BTreeSet, fs};

use crate::netns_support::{
    host::{Host, on_a_host},
    schema,
};
use serde_json::{Value, json};

/// Asks, and tells which schema the answer fits.
fn ask(host: &Host, seen: &mut BTreeSet<String>, words: &[&str]) -> Value {
    let words = [words, &["--json"]].concat();
    let ran = host.vfhook(&words);
    let answer: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let name = schema::name(&words, &answer).unwrap_or_else(|| panic!("{words:?} has none"));
    schema::must_fit(name, &answer);
    seen.insert(name.to_owned());
    answer
}

#[test]
fn each_verb_says_what_is_published() {
    on_a_host(|host| {
        let mut seen = BTreeSet::new();
        let mut ask = |words: &[&str]| ask(host, &mut seen, words);
        let blue = host.sandbox("blue");
        let attach = ["attach", "--netns", blue.as_str(), "--network", "storage", "--id", "blue"];
        assert!(
            !ask(&[&attach[..], &["--dry-run"]].concat())["steps"].as_array().unwrap().is_empty()
        );
        ask(&attach);
        let status = ask(&["status"]);
        assert_eq!(status["leases"].as_array().map(Vec::len), Some(1), "{status}");
        ask(&["reconcile"]);
        ask(&["check-config"]);
        ask(&["doctor"]);
        ask(&["explain", "VFH0012"]);
        assert_eq!(ask(&["explain", "blue"])["sandboxes"].as_array().map(Vec::len), Some(1));
        ask(&["top"]);
        ask(&["setup", "--pools", "--print"]);
        // Something is wrong with it, and it is told.
        blue.ip("link set net1 down");
        assert!(!ask(&["status"])["attention"].as_array().unwrap().is_empty());
        assert!(!ask(&["reconcile", "--dry-run"]).as_array().unwrap().is_empty());
        ask(&["detach", "--id", "blue", "--dry-run"]);
        ask(&["detach", "--id", "blue"]);
        assert!(ask(&["history"]).as_array().is_some_and(|told| told.len() >= 2));
        ask(&["detach", "--id", "green"]);
        assert_eq!(ask(&["attach", "--netns", "/nowhere", "--network", "storage"])["exit_code"], 2);
        let file = host.directory.join("cni.conf");
        fs::write(
            &file,
            "{\"type\": \"macvlan\", \"name\": \"lan\", \"master\": \"eth0\", \"x\": 1}",
        )
        .unwrap();
        ask(&["import", file.to_str().unwrap()]);
        let right = fs::read_to_string(host.config_file()).unwrap();
        fs::write(host.config_file(), format!("{right}\n[nonesuch]\n")).unwrap();
        assert!(!ask(&["check-config"])["problems"].as_array().unwrap().is_empty());
        assert!(!ask(&["status"])["problems"].as_array().unwrap().is_empty());
        let open = right.replacen(
            "allow = { addresses = true",
            "allow = { cdi = true, addresses = true",
            1,
        );
        fs::write(host.config_file(), open).unwrap();
        let cdi = host.directory.join("vfhook.json");
        ask(&["cdi", "--file", cdi.to_str().unwrap()]);
        let files = fs::read_dir(schema::folder()).unwrap();
        let names = files.map(|file| file.unwrap().path().file_stem().unwrap().to_owned());
        let published: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
        assert_eq!(seen, published, "each schema was met by an answer");
    });
}

#[test]
fn a_schema_is_not_met_by_anything() {
    let whole = json!({
        "$defs": {"word": {"type": "string", "enum": ["a", "b"]}},
        "type": "object",
        "properties": {
            "word": {"$ref": "#/$defs/word"},
            "list": {"type": "array", "items": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 1}]}},
        },
        "required": ["word"],
    });
    let fits = |value: Value| schema::fits(&whole, &whole, &value, "");
    assert_eq!(fits(json!({"word": "a", "list": [null, 1]})), Ok(()));
    for wrong in [
        json!([]),
        json!({}),
        json!({"word": "c"}),
        json!({"word": "a", "more": 1}),
        json!({"word": "a", "list": [0]}),
        json!({"word": "a", "list": ["x"]}),
        json!({"word": "a", "list": {}}),
    ] {
        assert!(fits(wrong.clone()).is_err(), "{wrong}");
    }
}
