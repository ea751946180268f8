//! `vfhook setup` with a runtime that is played by a few lines of shell: what it reads is what it says of itself. All or nothing is written,
//! whoever dies in the middle and wherever, and the bytes of before are back after `--undo`.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A directory with a containerd 2 in it, its main file, and what vfhook leaves.
struct Machine {
    place: TempDir,
}

const MAIN: &str = "# mine\nversion = 3\nimports = [\"conf.d/*.toml\"]\n[plugins.'io.containerd.nri.v1.nri']\n  disable = true\n";
/// What it says of itself besides what is in its files.
const ITSELF: &str = "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n";

impl Machine {
    /// Whose containerd shows what `shows` prints, where `$1` is its main file.
    fn showing(shows: &str) -> Self {
        let machine = Self { place: tempfile::tempdir().unwrap() };
        fs::create_dir_all(machine.path("etc/conf.d")).unwrap();
        fs::write(machine.main(), MAIN).unwrap();
        fs::set_permissions(machine.main(), Permissions::from_mode(0o640)).unwrap();
        machine.program(
            "containerd",
            &format!("case \"$*\" in *--version*) echo containerd x v2.1.9;; *dump*) set -- \"$2\"; {shows};; esac"),
        );
        machine.program("ctr", "echo '{\"process\": {\"rlimits\": []}}'");
        machine
    }

    /// Whose containerd reads all of its files.
    fn sound() -> Self {
        let others = "for file in \"${1%/*}\"/conf.d/*.toml; do [ -f \"$file\" ] && grep -v -e ^version -e ^.plugins -e runtime_type \"$file\"; done";
        Self::showing(&format!("cat \"$1\"; printf %s \"$ITSELF\"; {others}; :"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn main(&self) -> PathBuf {
        self.path("etc/config.toml")
    }

    fn record(&self) -> PathBuf {
        self.path("records/containerd.json")
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }

    fn vfhook(&self, words: &[&str], kill_at: Option<u32>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vfhook"));
        command.arg("--config").arg(self.path("vfhook/config.toml")).arg("setup").args(words);
        command.arg("--records").arg(self.path("records"));
        command.env("ITSELF", ITSELF).stdin(Stdio::null());
        if let Some(moment) = kill_at {
            command.env("VFHOOK_KILL_AT", moment.to_string());
        }
        command.output().unwrap()
    }

    /// `setup containerd --base-spec`, with what has to be said here.
    fn set_up(&self, more: &[&str], kill_at: Option<u32>) -> Output {
        let (program, main) = (self.path("containerd"), self.main());
        let words = [
            "containerd",
            "--base-spec",
            "--program",
            program.to_str().unwrap(),
            "--file",
            main.to_str().unwrap(),
        ];
        self.vfhook(&[&words[..], more].concat(), kill_at)
    }

    /// Every file below it with its bytes and mode.
    fn files(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
        fn collect(directory: &Path, found: &mut BTreeMap<PathBuf, (Vec<u8>, u32)>) {
            for entry in fs::read_dir(directory).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    found.insert(path.clone(), (Vec::new(), 0));
                    collect(&path, found);
                } else {
                    let mode = entry.metadata().unwrap().permissions().mode();
                    found.insert(path.clone(), (fs::read(&path).unwrap(), mode));
                }
            }
        }
        let mut found = BTreeMap::new();
        collect(self.place.path(), &mut found);
        found.remove(&self.path("records"));
        found
    }
}

#[track_caller]
fn exits(output: &Output, code: i32) -> String {
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[test]
fn written_proven_and_taken_back() {
    let machine = Machine::sound();
    let before = machine.files();
    let shown = exits(&machine.set_up(&["--dry-run"], None), 0);
    assert!(
        shown.contains("+++")
            && shown.contains("99-vfhook.toml")
            && shown.contains("createRuntime"),
        "{shown}"
    );
    exits(&machine.set_up(&["--print"], None), 0);
    assert_eq!(machine.files(), before);
    let said = exits(&machine.set_up(&[], None), 0);
    assert!(said.contains("then: systemctl restart containerd"), "{said}");
    let dropped = fs::read_to_string(machine.path("etc/conf.d/99-vfhook.toml")).unwrap();
    assert!(dropped.starts_with("version = 3\n") && dropped.contains("vfhook.dev/*"), "{dropped}");
    assert_eq!(fs::read_to_string(machine.main()).unwrap(), MAIN.replace("true", "false"));
    let after = machine.files();
    assert_eq!(after[&machine.main()].1 & 0o777, 0o640);
    assert_eq!(after[&machine.record()].1 & 0o777, 0o600);
    let again = exits(&machine.set_up(&[], None), 0);
    assert!(again.contains("nothing to do"), "{again}");
    assert_eq!(machine.files(), after);
    let shown = exits(&machine.vfhook(&["containerd", "--undo", "--dry-run"], None), 0);
    assert!(shown.contains("+  disable = true"), "{shown}");
    assert_eq!(machine.files(), after);
    exits(&machine.vfhook(&["--undo"], None), 0);
    assert_eq!(machine.files(), before);
    let none = exits(&machine.vfhook(&["containerd", "--undo"], None), 0);
    assert!(none.contains("nothing to do"), "{none}");
}

#[test]
fn the_answer_as_json() {
    let machine = Machine::sound();
    let answer: Value = serde_json::from_slice(&machine.set_up(&["--json"], None).stdout).unwrap();
    crate::netns_support::schema::must_fit("setup", &answer);
    assert_eq!(answer["version"], "2.1.9");
    assert_eq!(answer["changes"].as_array().unwrap().len(), 3);
    assert_eq!(answer["restart"][0], "systemctl restart containerd");
}

/// It reads the main file alone, as versions do whose drop-in has another version: what was written is not in force.
#[test]
fn what_the_runtime_does_not_read_is_put_back() {
    let machine = Machine::showing("cat \"$1\"; printf %s \"$ITSELF\"");
    let before = machine.files();
    let said = exits(&machine.set_up(&[], None), 1);
    assert!(
        said.contains("pod_annotations: nothing in place of") && said.contains("as it was before"),
        "{said}"
    );
    assert_eq!(machine.files(), before);
}

#[test]
fn what_the_runtime_does_not_start_with_is_put_back() {
    let sound = "cat \"$1\"; printf %s \"$ITSELF\"";
    let machine = Machine::showing(&format!(
        "if [ -f \"${{1%/*}}/conf.d/99-vfhook.toml\" ]; then echo too new >&2; exit 1; else {sound}; fi"
    ));
    let before = machine.files();
    let said = exits(&machine.set_up(&[], None), 1);
    assert!(said.contains("too new"), "{said}");
    assert_eq!(machine.files(), before);
}

/// At every moment of a set-up, and of an undo.
#[test]
fn killed_anywhere_it_is_finished_by_either() {
    let machine = Machine::sound();
    let before = machine.files();
    let mut moments = 0;
    for moment in 1.. {
        let killed = machine.set_up(&[], Some(moment));
        if killed.status.signal().is_none() {
            exits(&killed, 0);
            moments = moment;
            break;
        }
        if moment % 2 == 0 {
            exits(&machine.set_up(&[], None), 0);
        }
        exits(&machine.vfhook(&["--undo"], None), 0);
        assert_eq!(machine.files(), before, "killed at {moment}");
    }
    assert!(moments > 8, "{moments}");
    for moment in 1.. {
        let killed = machine.vfhook(&["--undo"], Some(moment));
        let is_over = killed.status.signal().is_none();
        exits(&machine.vfhook(&["--undo"], None), 0);
        assert_eq!(machine.files(), before, "the undo was killed at {moment}");
        exits(&machine.set_up(&[], None), 0);
        if is_over {
            break;
        }
    }
}

#[test]
fn a_second_set_up_that_asks_for_more_is_taken_back_to_the_first_bytes() {
    let machine = Machine::sound();
    let before = machine.files();
    let (program, main) = (machine.path("containerd"), machine.main());
    let plain =
        ["containerd", "--program", program.to_str().unwrap(), "--file", main.to_str().unwrap()];
    exits(&machine.vfhook(&plain, None), 0);
    assert!(!machine.path("etc/conf.d/99-vfhook.toml").exists());
    exits(&machine.set_up(&[], None), 0);
    assert!(machine.path("etc/conf.d/99-vfhook.toml").exists());
    exits(&machine.vfhook(&["containerd", "--undo"], None), 0);
    assert_eq!(machine.files(), before);
}

#[test]
fn a_file_that_was_edited_since_is_asked_about() {
    let machine = Machine::sound();
    exits(&machine.set_up(&[], None), 0);
    let edited = fs::read_to_string(machine.main()).unwrap() + "[metrics]\naddress = \"mine\"\n";
    fs::write(machine.main(), &edited).unwrap();
    let set_up = machine.files();
    let refused = exits(&machine.vfhook(&["--undo"], None), 2);
    assert!(refused.contains("changed since") && refused.contains("--yes"), "{refused}");
    assert_eq!(machine.files(), set_up);
    exits(&machine.vfhook(&["--undo", "--yes"], None), 0);
    assert_eq!(fs::read_to_string(machine.main()).unwrap(), edited.replace("false", "true"));
    assert!(!machine.path("etc/conf.d/99-vfhook.toml").exists() && !machine.record().exists());
}

#[test]
fn what_cannot_be_written_is_printed() {
    let machine = Machine::sound();
    // A file where the directory of drop-ins is: nobody can write there, not even root.
    fs::remove_dir(machine.path("etc/conf.d")).unwrap();
    fs::write(machine.main(), MAIN.replace("conf.d/*", "/proc/self/conf.d/*")).unwrap();
    let before = machine.files();
    let said = exits(&machine.set_up(&[], None), 5);
    assert!(said.contains("pod_annotations") && said.contains("cannot be written"), "{said}");
    assert_eq!(machine.files(), before);
}

#[test]
fn a_record_that_is_damaged_or_newer_is_told_and_left() {
    let machine = Machine::sound();
    exits(&machine.set_up(&[], None), 0);
    let text = fs::read_to_string(machine.record()).unwrap();
    for (damaged, why) in
        [("{", "EOF"), (&*text.replace("\"format\": 1", "\"format\": 2"), "format 2")]
    {
        fs::write(machine.record(), damaged).unwrap();
        let before = machine.files();
        let said = exits(&machine.vfhook(&["--undo"], None), 2);
        assert!(said.contains(why), "{said}");
        exits(&machine.set_up(&[], None), 2);
        assert_eq!(machine.files(), before);
    }
}

/// A dockerd that starts with what has no `wrong` in it.
fn docker(machine: &Machine, version: &str) -> PathBuf {
    machine.program(
        "dockerd",
        &format!(
            "case \"$*\" in *--validate*) for last; do :; done; if grep -q wrong \"$last\"; then echo it is wrong >&2; exit 1; fi;; \
             *) echo Docker version {version}, build 1;; esac"
        ),
    );
    machine.path("daemon.json")
}

#[test]
fn docker_has_one_file_which_is_judged_before_and_after() {
    let machine = Machine::sound();
    let file = docker(&machine, "26.1.5+dfsg1");
    let program = machine.path("dockerd");
    let words = |more: &[&'static str]| {
        let own =
            ["docker", "--program", program.to_str().unwrap(), "--file", file.to_str().unwrap()];
        own.iter().copied().chain(more.iter().copied()).map(str::to_owned).collect::<Vec<_>>()
    };
    let set_up = |more: &[&'static str]| {
        let words = words(more);
        machine.vfhook(&words.iter().map(String::as_str).collect::<Vec<_>>(), None)
    };
    let undo = || machine.vfhook(&["docker", "--undo"], None);
    for before in
        ["{\n\t\"mtu\": 1400,\n\t\"features\": {\"buildkit\": true}\n}", "{}", "{\"a\": 1e400}\n"]
    {
        fs::write(&file, before).unwrap();
        let said = exits(&set_up(&["--runtime"]), 0);
        assert!(said.contains("systemctl restart docker"), "{said}");
        let written = fs::read_to_string(&file).unwrap();
        assert!(
            written.contains("\"cdi\": true") && written.contains("vfhook-runtime"),
            "{written}"
        );
        exits(&undo(), 0);
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }
    fs::remove_file(&file).unwrap();
    exits(&set_up(&[]), 0);
    exits(&undo(), 0);
    assert!(!file.exists());
    // Edited since: by key, and the rest stays.
    exits(&set_up(&[]), 0);
    let edited = fs::read_to_string(&file).unwrap().replace("{\n ", "{\n    \"mtu\": 9000,\n ");
    fs::write(&file, edited).unwrap();
    exits(&undo(), 2);
    exits(&machine.vfhook(&["docker", "--undo", "--yes"], None), 0);
    let left: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(left, serde_json::json!({ "mtu": 9000 }));
    for (wrong, code) in [("{\"wrong\": 1}", 5), ("{", 5)] {
        fs::write(&file, wrong).unwrap();
        exits(&set_up(&[]), code);
        assert_eq!(fs::read_to_string(&file).unwrap(), wrong);
    }
}

#[test]
fn a_first_configuration_is_one_and_replaces_none() {
    crate::netns_support::host::on_a_host(|host| {
        let shown = host.vfhook(&["setup", "--pools", "--print"]).ok();
        fs::remove_file(host.config_file()).unwrap();
        host.vfhook(&["setup", "--pools"]).ok();
        let written = fs::read_to_string(host.config_file()).unwrap();
        assert_eq!(written, shown);
        host.vfhook(&["check-config"]).ok();
        host.vfhook(&["setup", "--pools"]).must_exit(2).must_say(&["is there already"]);
        assert_eq!(fs::read_to_string(host.config_file()).unwrap(), written);
    });
}
