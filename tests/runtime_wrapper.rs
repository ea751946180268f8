//! The program as an OCI runtime: what it does to a bundle before it becomes the runtime behind it, and that it becomes it with the same
//! words. The lab runs it with real ones.
#![cfg(test)]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A link of the name by which a runtime calls us, a configuration, a bundle, and a program behind us that shows its words.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        symlink(env!("CARGO_BIN_EXE_vfhook"), place.at("vfhook-runtime")).unwrap();
        let behind = place.at("behind");
        fs::write(
            &behind,
            "#!/bin/sh\necho \"pid $$\"; for word; do echo \"$word\"; done\nexit 7\n",
        )
        .unwrap();
        fs::set_permissions(&behind, fs::Permissions::from_mode(0o755)).unwrap();
        place.configure(&format!("version = 1\nruntime = \"{}\"\n", behind.display()));
        fs::create_dir(place.at("b")).unwrap();
        place.bundle(&json!({ "annotations": { "vfhook.dev/networks": "storage" } }));
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn configure(&self, text: &str) {
        fs::write(self.at("config.toml"), text).unwrap();
    }

    fn bundle(&self, config: &Value) {
        fs::write(self.at("b/config.json"), config.to_string()).unwrap();
        fs::set_permissions(self.at("b/config.json"), fs::Permissions::from_mode(0o640)).unwrap();
    }

    fn config(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.at("b/config.json")).unwrap()).unwrap()
    }

    /// Calls the runtime; `B` stands for the bundle.
    fn run(&self, words: &str) -> Output {
        let bundle = self.at("b");
        let words = words.split_whitespace().map(|word| match word {
            "B" => bundle.clone(),
            word => PathBuf::from(word),
        });
        let mut command = Command::new(self.at("vfhook-runtime"));
        command.args(words).env("VFHOOK_CONFIG", self.at("config.toml")).output().unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn a_container_that_asks_gets_its_hooks_and_the_runtime_its_words() {
    let place = Place::new();
    for round in 0..2 {
        let output = place.run("--root /r --log /l create --bundle B --pid-file /p 1f");
        assert_eq!(output.status.code(), Some(7), "{output:?}");
        let words: Vec<String> = said(&output).lines().skip(1).map(str::to_owned).collect();
        let bundle = place.at("b").display().to_string();
        assert_eq!(
            words,
            [
                "--root",
                "/r",
                "--log",
                "/l",
                "create",
                "--bundle",
                &bundle,
                "--pid-file",
                "/p",
                "1f"
            ]
        );
        let hooks = &place.config()["hooks"];
        let config = place.at("config.toml").display().to_string();
        assert_eq!(hooks["createRuntime"].as_array().unwrap().len(), 1, "round {round}");
        assert_eq!(
            hooks["createRuntime"][0]["args"],
            json!(["vfhook", "--config", config, "hook", "create-runtime"])
        );
        assert_eq!(hooks["poststop"][0]["args"][4], "poststop");
        let program = hooks["poststop"][0]["path"].as_str().unwrap();
        assert!(Path::new(program).ends_with("vfhook"), "the program and not the link: {program}");
    }
    let mode = fs::metadata(place.at("b/config.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(fs::read_dir(place.at("b")).unwrap().count(), 1);
}

#[test]
fn everything_else_is_left_alone() {
    let place = Place::new();
    for words in
        ["delete --force create --bundle B", "--version", "state 1f", "--root create kill 1f"]
    {
        assert_eq!(place.run(words).status.code(), Some(7), "{words}");
        assert_eq!(place.config().get("hooks"), None, "{words}");
    }
    place.bundle(&json!({ "annotations": { "other": "x" }, "hooks": {} }));
    assert_eq!(place.run("create --bundle B 1f").status.code(), Some(7));
    assert_eq!(place.config()["hooks"], json!({}));
    // That there is no bundle the runtime says.
    assert_eq!(place.run("create --bundle /nowhere 1f").status.code(), Some(7));
}

#[test]
fn a_container_that_asks_is_not_made_without_its_hooks() {
    let place = Place::new();
    let log = place.at("log.json").display().to_string();
    let words = format!("--log {log} --log-format json create --bundle B 1f");
    let refused = |what: &str, expected: &str| {
        let output = place.run(&words);
        assert_eq!(output.status.code(), Some(1), "{what}: {output:?}");
        let told: Value =
            serde_json::from_str(fs::read_to_string(&log).unwrap().lines().last().unwrap())
                .unwrap();
        for text in [said(&output), told["msg"].as_str().unwrap().to_owned()] {
            assert!(text.contains(expected) && text.contains("config.json"), "{what}: {text}");
        }
        assert_eq!(told["level"], "error");
    };
    fs::write(place.at("b/config.json"), "{\"annotations\":").unwrap();
    refused("half a file", "not the JSON");
    fs::write(place.at("b/config.json"), b"{\"\xff\":1}").unwrap();
    refused("no text", "utf-8");
    fs::write(place.at("b/config.json"), vec![b' '; (16 << 20) + 1]).unwrap();
    refused("a file without end", "over 16777216 bytes");
    fs::rename(place.at("b/config.json"), place.at("elsewhere")).unwrap();
    symlink(place.at("elsewhere"), place.at("b/config.json")).unwrap();
    refused("a link", "read");
}

#[test]
fn it_never_runs_itself() {
    let place = Place::new();
    let own = place.at("vfhook-runtime").display().to_string();
    place.configure(&format!("version = 1\nruntime = \"{own}\"\n"));
    let output = place.run("--version");
    assert!(
        output.status.code() == Some(1) && said(&output).contains("vfhook itself"),
        "{output:?}"
    );
    let behind = place.at("behind");
    place.configure(&format!("version = 1\nruntime = \"{}\"\n", behind.display()));
    fs::write(&behind, format!("#!/bin/sh\nexec {own} \"$@\"\n")).unwrap();
    let output = place.run("--version");
    assert!(
        output.status.code() == Some(1) && said(&output).contains("vfhook itself"),
        "{output:?}"
    );
}

/// A container must be taken down with the runtime that made it.
#[test]
fn a_configuration_that_is_wrong_elsewhere_names_its_runtime_still() {
    let place = Place::new();
    let named = format!("runtime = \"{}\"", place.at("behind").display());
    for text in [format!("{named}\n[[pool]\nname ="), format!("version = 99\n{named}\nwhat = 1")] {
        place.configure(&text);
        assert_eq!(place.run("delete 1f").status.code(), Some(7), "{text}");
    }
}

#[test]
fn a_runtime_that_cannot_be_run_is_told() {
    let place = Place::new();
    place.configure("version = 1\nruntime = \"/nowhere/runc\"\n");
    let output = place.run("state 1f");
    assert!(
        output.status.code() == Some(1) && said(&output).contains("/nowhere/runc"),
        "{output:?}"
    );
}
