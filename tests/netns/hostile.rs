//! What a stranger may write and plant: names that are paths, lines and control characters; links; addresses of others.
//! Each is refused with a message that fits on a terminal, and nothing has changed.

use std::{fs, os::unix::fs::symlink};

use crate::netns_support::{
    command::{finish, shell},
    container::Container,
    dump::Dump,
    host::{Host, on_a_host},
    refusal::{Baseline, FAILED, NOTHING_FREE, USAGE},
};
use serde_json::Value;

/// What must be neither a path nor a line of somebody else's.
fn hostile() -> [String; 6] {
    [
        "../../etc/passwd".to_owned(),
        "a\nERROR forged".to_owned(),
        "a\r\u{1b}[2Jb".to_owned(),
        "a\u{202e}b".to_owned(),
        "a\0b".to_owned(),
        "x".repeat(4096),
    ]
}

/// A message is as many lines as vfhook makes of it, whatever was sent.
fn must_not_forge(said: &str) {
    assert!(!said.lines().any(|line| line.starts_with("ERROR forged")), "{said}");
    assert!(!said.contains('\u{202e}'), "{said}");
}

fn hook_with(host: &Host, baseline: &Baseline, state: &Value, words: &[&str]) {
    for stage in ["create-runtime", "prestart"] {
        let ran = finish(&mut host.command(&["hook", stage]), &state.to_string());
        must_not_forge(&ran.stderr);
        baseline.refused(ran, USAGE, words);
    }
}

#[test]
fn ids_that_are_paths_lines_or_4_kib_long_are_refused() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        let container = Container::with_own_namespace(host, "c1").asking_for("storage");
        for id in hostile() {
            let mut state = container.state.clone();
            state["id"] = id.as_str().into();
            hook_with(host, &baseline, &state, &["id"]);
            let ran = finish(&mut host.command(&["hook", "poststop"]), &state.to_string());
            must_not_forge(&ran.stderr);
            baseline.refused(ran, USAGE, &["id"]);
        }
    });
}

#[test]
fn annotations_that_are_paths_lines_or_4_kib_long_are_refused() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        for name in hostile() {
            let long = serde_json::json!([{ "name": "storage", "interface": name }]).to_string();
            let key = serde_json::json!([{ "name": "storage", (name.clone()): 1 }]).to_string();
            for networks in [name.clone(), format!("storage@{name}"), long, key] {
                let container = Container::with_own_namespace(host, "c1").asking_for(&networks);
                hook_with(host, &baseline, &container.state, &["vfhook.dev/networks"]);
            }
            let container = Container::with_own_namespace(host, "c1").asking_for("storage");
            let container = container.annotated("vfhook.dev/service-path", &name);
            hook_with(host, &baseline, &container.state, &["vfhook.dev/service-path"]);
        }
    });
}

#[test]
fn kubernetes_namespaces_that_only_look_like_a_teams_are_refused() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        for name in hostile().into_iter().chain(["xteam-a".to_owned(), " team-a".to_owned()]) {
            let container = Container::with_own_namespace(host, "c1")
                .asking_for("team")
                .annotated("io.container.manager", "cri-o")
                .annotated("io.kubernetes.pod.namespace", &name);
            hook_with(host, &baseline, &container.state, &["team", "not allowed"]);
        }
    });
}

#[test]
fn paths_that_are_lines_or_4_kib_long_are_refused() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        let with_zero = |path: &String| path.contains('\0');
        for path in hostile().into_iter().filter(|path| !with_zero(path)) {
            let path = format!("/run/netns/{path}");
            let ran = host.vfhook(&["attach", "--netns", &path, "--network", "storage"]);
            must_not_forge(&ran.stderr);
            baseline.refused(ran, USAGE, &["/run/netns/"]);
        }
    });
}

#[test]
fn a_mac_that_another_sandbox_has_is_refused() {
    on_a_host(|host| {
        let owner = host.sandbox("owner").quiet();
        host.attach(&owner, "storage", &[]).ok();
        let given = owner.link("net1")["address"].as_str().expect("a MAC address").to_owned();
        let chooser = Container::with_own_namespace(host, "chooser")
            .asking_for(r#"[{"name":"storage","mac":"02:00:5e:00:53:01"}]"#);
        chooser.sandbox().quiet();
        chooser.hook(host, "create-runtime").ok();
        let baseline = Baseline::as_is(host);
        for mac in [given.as_str(), "02:00:5e:00:53:01"] {
            let same = format!(r#"[{{"name":"storage","mac":"{mac}"}}]"#);
            baseline.asking_refused(&same, NOTHING_FREE, &[mac, "taken"]);
        }
    });
}

#[test]
fn a_path_that_leads_to_another_sandbox_by_now_takes_nothing_from_that_one() {
    on_a_host(|host| {
        let (blue, red) = (host.sandbox("blue").quiet(), host.sandbox("red").quiet());
        host.attach(&red, "backup", &["--id", "red"]).ok();
        let untouched = Dump::of_sandbox(&red);
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        shell(&format!("umount {0}; rm {0}", blue.as_str())).ok();
        symlink(red.as_str(), blue.as_str()).unwrap();
        let ran = host.vfhook(&["detach", "--id", "blue"]);
        ran.must_exit(0).must_say(&["detached"]);
        untouched.must_be_again_in(&red);
        assert_eq!(host.leases().len(), 1);
        // By that path it is red's sandbox, which has something else.
        let baseline = Baseline::as_is(host);
        baseline.attach_refused(blue.as_str(), "storage", USAGE, &["red"]);
        untouched.must_be_again_in(&red);
    });
}

#[test]
fn links_planted_in_the_state_directory_are_not_followed() {
    on_a_host(|host| {
        let blue = host.sandbox("blue").quiet();
        let victim = host.directory.join("victim");
        fs::write(&victim, "keep this").unwrap();
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        let state = host.state_dir();
        let file = fs::read_dir(state.join("leases")).unwrap().next().unwrap().unwrap().path();
        let next = file.with_extension("next");
        for planted in [state.join("reserving"), next] {
            symlink(&victim, planted).unwrap();
        }
        symlink(&victim, state.join("leases/planted-0000000000000001")).unwrap();
        symlink(&victim, state.join("claims/id.planted")).unwrap();
        let baseline = Baseline::as_is(host);
        let ran = host.vfhook(&["detach", "--id", "planted"]);
        baseline.refused(ran, FAILED, &["id.planted", "cannot be read"]);
        let red = host.sandbox("red").quiet();
        for change in [["detach", "--id", "blue"].as_slice(), &["status"]] {
            host.vfhook(change).must_exit(0);
        }
        host.attach(&red, "storage", &["--id", "red"]).ok();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "keep this");
    });
}
