//! Files of other tools, and the configuration that `vfhook import` makes of them. A folder of tests/data/import is a case: its files
//! are imported together, beside them stands what must come of it. `BLESS=1` writes that anew, and the tables of docs/import.md, to be
//! read before they are kept.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use proptest::prelude::*;
use vfhook::{
    config::{self, Config},
    import::{Imported, Keys, LONGEST, Source, TABLES, import},
};

/// What must come of a case, beside its files.
const EXPECTED: [&str; 2] = ["expected.toml", "refused.txt"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import")
}

fn cases() -> BTreeMap<String, Vec<Source>> {
    let folders = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let cases: BTreeMap<_, _> = folders.map(|path| (name(&path), files(&path))).collect();
    assert!(cases.len() >= 4, "only {} cases", cases.len());
    cases
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn files(folder: &Path) -> Vec<Source> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| !EXPECTED.contains(&name(path).as_str()));
    let read =
        |path: PathBuf| Source { name: name(&path), text: fs::read_to_string(path).unwrap() };
    paths.into_iter().map(read).collect()
}

fn one(text: &str) -> Imported {
    import(&[Source { name: "f".to_owned(), text: text.to_owned() }])
}

/// Accepted by the program itself, or nothing.
#[track_caller]
fn configuration(imported: &Imported) -> Option<Config> {
    for refused in &imported.refused {
        let line = refused.to_string();
        assert!(!line.contains(char::is_control) && refused.place.line() > 0, "{line:?}");
    }
    imported.configuration.as_ref().map(|text| match config::parse(text) {
        Ok(config) => config,
        Err(problems) => panic!("{problems:?}\n{text}"),
    })
}

fn refused(imported: &Imported) -> String {
    imported.refused.iter().fold(String::new(), |text, remark| text + &remark.to_string() + "\n")
}

#[test]
fn each_case_comes_to_what_stands_beside_it() {
    let mut wrong = String::new();
    for (case, sources) in cases() {
        let imported = import(&sources);
        assert!(configuration(&imported).is_some(), "{case}: {}", refused(&imported));
        let found = [imported.configuration.clone().unwrap(), refused(&imported)];
        for (file, found) in EXPECTED.iter().zip(found) {
            let path = folder().join(&case).join(file);
            if std::env::var_os("BLESS").is_some() {
                fs::write(&path, &found).unwrap();
            }
            let expected = fs::read_to_string(&path).unwrap_or_default();
            if found != expected {
                writeln!(wrong, "{case}/{file}: expected\n{expected}found\n{found}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn nobody_gets_more_than_was_said() {
    let config = configuration(&import(&cases()["device_plugin"])).unwrap();
    let network = |name: &str| &config.networks[&name.parse().unwrap()];
    let storage = network("storage-red");
    assert!(storage.allow.permits(Some("team-a")) && !storage.allow.permits(Some("team-b")));
    assert!(!storage.allow.permits(None) && storage.allow.mac && storage.allow.addresses);
    // The first family's default route is no other's, and its gateway is given to nobody.
    assert!(storage.default_route && storage.gateway.len() == 1);
    let backup = network("backup");
    assert!(backup.allow.permits(Some("team-b")) && !backup.allow.permits(Some("default")));
    assert!(!backup.allow.mac && !backup.default_route);
    for address in ["192.168.4.228", "192.168.4.231"] {
        let address = address.parse().unwrap();
        assert!(!backup.addresses.iter().any(|range| range.contains_address(address)));
    }
    let operator = configuration(&import(&cases()["operator"])).unwrap();
    let either = &operator.networks[&"either".parse().unwrap()];
    assert!(either.allow.permits(Some("default")) && !either.allow.permits(Some("web")));
    // Of two alternatives the network has one, not what a product of both would select.
    let split = &operator.pools[&either.pool].selector;
    assert!(split.pf.len() == 1 && split.wants_index(1) && !split.wants_index(2));
}

#[test]
fn keys_are_matched_as_the_other_program_does() {
    let nad = |config: &str| {
        format!(
            r#"{{"apiVersion":"k8s.cni.cncf.io/v1","kind":"NetworkAttachmentDefinition","metadata":{{"name":"n","namespace":"a"}},"spec":{{"config":{}}}}}"#,
            serde_json::to_string(config).unwrap()
        )
    };
    let config = |text: &str| configuration(&one(&nad(text))).unwrap();
    let attributes = |text: &str| config(text).networks.into_values().next().unwrap().attributes;
    let device = r#""Type":"sriov","deviceid":"0000:01:10.0""#;
    let both = attributes(&format!(r#"{{{device},"VLAN":7,"vlan":8,"TRUST":"on"}}"#));
    assert_eq!((both.vlan.unwrap().id, both.trust), (8, Some(true)));
    assert_eq!(attributes(&format!("{{{device},\"vlan\":0}}")).vlan.unwrap().id, 0);
    assert_eq!(attributes(&format!("{{{device}}}")).vlan, None);
    let wrong = |text: &str| refused(&one(&nad(text)));
    assert!(wrong(&format!("{{{device},\"vlanQoS\":3}}")).contains("above 0"));
    assert!(wrong(&format!("{{{device},\"vlan\":4095}}")).contains("4094"));
}

#[test]
fn what_is_no_import_is_said() {
    for (text, said) in [
        ("", "f:1: there is nothing in it"),
        ("# only this\n", "f:1: there is nothing in it"),
        ("kind: Pod\napiVersion: v1", "passed over: an object of kind \"Pod\""),
        ("7", "is no object of Kubernetes"),
        ("{\"a\": 1}", "an object with \"a\""),
        ("a: &x 1\nb: *x", "f:1: anchors, aliases and tags"),
        ("{\"type\": \"sriov\",\n\"name\": \"${NAME}\"}", "f:2: has the placeholder \"${NAME}\""),
        ("{\"type\": \"sriov\"}", "name is missing"),
        (&" ".repeat(LONGEST + 1), "bytes long"),
    ] {
        let imported = one(text);
        assert!(imported.configuration.is_none(), "{said}");
        assert!(refused(&imported).contains(said), "{said}: {}", refused(&imported));
    }
}

/// A table of Markdown for each kind of object.
fn tables() -> String {
    let mut text = String::new();
    for Keys { of, taken, dropped, also, .. } in TABLES {
        let also: Vec<String> = also.iter().map(|keys| format!("those of *{}*", keys.of)).collect();
        let also =
            if also.is_empty() { String::new() } else { format!(", and {}", also.join(", ")) };
        writeln!(text, "\n### {of}\n\n| key{also} | to us |\n|---|---|").unwrap();
        for (key, goes) in *taken {
            writeln!(text, "| `{key}` | {goes} |").unwrap();
        }
        for (key, why) in *dropped {
            writeln!(text, "| `{key}` | – {why} |").unwrap();
        }
    }
    text
}

#[test]
fn the_document_has_every_key_that_the_readers_know() {
    const BEGIN: &str = "## Key by key\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/import.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, found) = text.split_once(BEGIN).unwrap();
    let expected = tables();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{expected}")).unwrap();
    } else {
        assert_eq!(found, expected);
    }
}

#[test]
fn every_key_of_a_table_is_asked_for() {
    fn sources(folder: &Path) -> String {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.fold(String::new(), |all, path| {
            all + &if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() }
        })
    }
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import"));
    for Keys { of, taken, .. } in TABLES {
        for (key, _) in *taken {
            let asked = sources.matches(&format!("\"{key}\"")).count();
            assert!(asked > 1 || key == &"List", "{of}: {key} is in the table alone");
        }
    }
}

fn program(words: &[&str], stdin: &str) -> (Option<i32>, String, String) {
    use std::io::Write as _;
    let mut program = Command::new(env!("CARGO_BIN_EXE_vfhook"))
        .arg("import")
        .args(words)
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    program.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let ran = program.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ran.status.code(), text(ran.stdout), text(ran.stderr))
}

#[test]
fn the_program_prints_the_configuration_alone() {
    let files = ["device_plugin/configmap.yaml", "device_plugin/networks.yaml"];
    let (code, configuration, errors) = program(&files, "");
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{configuration}");
    assert_eq!(config::parse(&configuration).unwrap().networks.len(), 2);

    let (code, configuration, errors) =
        program(&["mistakes/configmap.yaml", "nonexistent", "-"], "a: [");
    assert_eq!(code, Some(2));
    assert_eq!(config::parse(&configuration).unwrap().pools.len(), 2);
    for said in ["mistakes/configmap.yaml:8: ", "read nonexistent", "not taken: stdin:"] {
        assert!(errors.contains(said), "{said}: {errors}");
    }

    let (code, answer, errors) = program(&["--json", "-"], "{\"type\": \"sriov\"}");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((code, errors.as_str(), &answer["refused"][0]["line"]), (Some(2), "", &1.into()));
    assert!(answer["configuration"].is_null());
    assert_eq!(program(&[], "").0, Some(2));
}

/// The files of a case, cut and stirred.
fn stirred() -> impl Strategy<Value = Vec<Source>> {
    let words = prop::sample::select(vec![
        "",
        "null",
        "{}",
        "[]",
        "\"\"",
        "0",
        "-1",
        "1e9",
        "true",
        "\"::/0\"",
        "\"0.0.0.0/0\"",
        "\"10.0.0.0/31\"",
        "\"ens1f0#9-1\"",
        "\"a\\nb\"",
        "\"\\u0000\"",
        "\"*\"",
        "'",
        "---\n",
        "{{x}}",
        "\u{7f}",
        "\u{202e}",
        "255",
        "\n",
    ]);
    let index = any::<prop::sample::Index>();
    let changes =
        prop::collection::vec((index, any::<prop::sample::Index>(), 0_usize..12, words), 0..6);
    let cases: Vec<_> = cases().into_values().collect();
    (prop::sample::select(cases), changes).prop_map(|(mut sources, changes)| {
        for (file, at, length, word) in changes {
            let file = file.index(sources.len());
            let source = &mut sources[file];
            let mut letters: Vec<char> = source.text.chars().collect();
            let at = at.index(letters.len() + 1);
            let end = (at + length).min(letters.len());
            letters.splice(at..end, word.chars());
            source.text = letters.into_iter().collect();
            source.name = format!("{}\n", source.name);
        }
        sources
    })
}

proptest! {
    #[test]
    fn whatever_comes_in_a_right_configuration_comes_out_or_none(sources in stirred()) {
        let imported = import(&sources);
        let config = configuration(&imported);
        prop_assert!(config.is_some() || !imported.refused.is_empty());
        if let Some(config) = config {
            prop_assert!(!config.pools.is_empty() || !config.networks.is_empty());
        }
    }
}

/// A script that reads JSON must not read comments out of TOML.
#[test]
fn every_comment_is_told_as_data_too() {
    for (case, sources) in cases() {
        let imported = import(&sources);
        let text = imported.configuration.unwrap();
        for comment in &imported.comments {
            assert!(text.contains(&format!("{comment}\n")), "{case}: {comment}");
        }
        let beside = text.lines().filter(|line| {
            let from = line.strip_prefix("# ").map(str::trim_start);
            from.is_some_and(|line| {
                sources.iter().any(|source| line.starts_with(&format!("{}:", source.name)))
            })
        });
        let refused: Vec<String> = imported.refused.iter().map(ToString::to_string).collect();
        for line in beside.map(|line| line.trim_start_matches(['#', ' '])) {
            let told = imported.comments.iter().any(|comment| comment.to_string() == line);
            assert!(told || refused.iter().any(|refused| refused == line), "{case}: {line}");
        }
        assert!(!imported.comments.is_empty(), "{case}");
    }
}

#[test]
fn hostile_files_write_no_line_of_their_own() {
    let forged =
        "x\\\"\\n[[network]]\\nname = \\\"stolen\\\"\\nallow = { namespaces = [\\\"*\\\"] }\\n#";
    let list = |name: &str, master: &str, range: &str| {
        format!(
            r#"{{"cniVersion": "0.3.1", "name": "{name}", "type": "sriov", "master": "{master}",
                "ipam": {{"type": "host-local", "subnet": "{range}", "dataDir": "{forged}"}}, "dns": "{forged}"}}"#
        )
    };
    let sane = ("net", "ens1f0", "10.0.0.0/24");
    for (what, text) in [
        ("name", list(forged, sane.1, sane.2)),
        ("master", list(sane.0, forged, sane.2)),
        ("subnet", list(sane.0, sane.1, forged)),
        ("path", list(sane.0, "../../etc/passwd", sane.2)),
        ("escape", list("\\u001b[2J", "\\u0000", sane.2)),
        ("all addresses", list(sane.0, sane.1, "0.0.0.0/0")),
        ("long", list(&"a".repeat(100_000), sane.1, sane.2)),
        ("deep", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        ("deep YAML", "- ".repeat(50_000)),
        ("anchors", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n".to_owned()),
    ] {
        let imported = one(&text);
        let config = configuration(&imported);
        let names: Vec<String> = config
            .iter()
            .flat_map(|config| config.networks.keys().map(ToString::to_string))
            .collect();
        assert!(names.len() <= 1 && !names.contains(&"stolen".to_owned()), "{what}: {names:?}");
        assert!(config.is_some() || !imported.refused.is_empty(), "{what}: nothing is said");
        let told = imported.refused.iter().chain(&imported.comments);
        for line in told.map(ToString::to_string) {
            assert!(!line.contains(char::is_control) && line.len() < 1000, "{what}: {line:?}");
        }
    }
}
