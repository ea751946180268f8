//! What `attach`, `detach` and `status` answer: to people, to scripts, and to those who ask again or only want to know.

use std::{
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::Command,
};

use crate::netns_support::{command::finish, dump::Dump, host::on_a_host};
use serde_json::{Value, json};

#[test]
fn asking_again_gives_the_same_answer() {
    on_a_host(|host| {
        let blue = host.sandbox("blue").quiet();
        let first = host.attach(&blue, "storage", &["--json"]).json();
        let (inside, outside) = (blue.shape(), Dump::of_host_at_rest(host));
        let second = host.attach(&blue, "storage", &["--json"]).json();
        assert_eq!((&first["how"], &second["how"]), (&json!("attached"), &json!("already")));
        for field in ["id", "networks", "service_interface", "service_sources", "service_cidrs"] {
            assert_eq!(first[field], second[field], "{field}");
        }
        assert_eq!(blue.shape(), inside);
        outside.must_be_again(host);
    });
}

#[test]
fn who_reads_no_further_changes_nothing() {
    on_a_host(|host| {
        let blue = host.sandbox("blue").quiet();
        for arguments in [
            &["attach", "--netns", blue.as_str(), "--network", "storage"][..],
            &["status"],
            &["status", "--json"],
            &["doctor"],
            &["detach", "--netns", blue.as_str()],
            &["detach", "--netns", "/nowhere"],
        ] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            drop(ours);
            let mut command = host.command(arguments);
            command
                .stdout(OwnedFd::from(theirs.try_clone().unwrap()))
                .stderr(OwnedFd::from(theirs));
            let ended = command.status().unwrap();
            // A panic exits with 101.
            assert!(ended.code().is_some_and(|code| code < 10), "{arguments:?}: {ended}");
        }
        assert!(host.leases().is_empty());
    });
}

#[test]
fn what_is_not_attached_is_detached() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        let answer = host.vfhook(&["detach", "--netns", blue.as_str(), "--json"]).json();
        assert_eq!(answer, json!({ "result": "unknown" }));
        host.vfhook(&["detach", "--id", "nobody"]).must_exit(0).must_say(&["nothing to do"]);
    });
}

#[test]
fn a_dry_run_shows_the_steps_and_takes_none() {
    on_a_host(|host| {
        let blue = host.sandbox("blue").quiet();
        // Another attachment makes the state directory and the table, which would stay.
        host.attach(&host.sandbox("red").quiet(), "backup", &[]).ok();
        let (outside, inside) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
        host.attach(&blue, "storage", &["--dry-run"])
            .must_exit(0)
            .must_say(&["make macvlan net1 on card0", "undo: delete link net1"]);
        let steps = host.attach(&blue, "storage", &["--dry-run", "--json"]).json();
        let steps = steps["steps"].as_array().unwrap();
        assert!(steps.iter().all(|step| {
            step["what"].is_string() && step["undo"].is_string() && step["step"]["do"].is_string()
        }));
        outside.must_be_again(host);
        inside.must_be_again_in(&blue);

        host.attach(&blue, "storage", &[]).ok();
        let (outside, inside) = (Dump::of_host_at_rest(host), blue.shape());
        host.vfhook(&["detach", "--netns", blue.as_str(), "--dry-run"])
            .must_exit(0)
            .must_say(&["delete link net1", "delete link vfh"]);
        outside.must_be_again(host);
        assert_eq!(blue.shape(), inside);
    });
}

#[test]
fn answers_in_json_have_the_documented_fields() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        let report = host.attach(&blue, "storage", &["--id", "blue", "--json"]).json();
        assert_eq!(report["id"], "blue");
        assert_eq!(report["how"], "attached");
        assert_eq!(report["service_interface"], "svc0");
        assert_eq!(report["service_sources"].as_array().map(Vec::len), Some(2));
        assert_eq!(report["service_cidrs"], json!(["10.96.0.0/12", "fd00:96::/108"]));
        assert!(report["netlink_messages"].as_u64().is_some_and(|count| count > 0));
        let had = &report["networks"][0];
        assert_eq!((&had["network"], &had["pool"]), (&json!("storage"), &json!("fast")));
        assert_eq!((&had["interface"], &had["device"]), (&json!("net1"), &Value::Null));
        assert_eq!(had["mac"], blue.link("net1")["address"]);
        let mut addresses: Vec<&str> =
            had["addresses"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        addresses.sort_unstable();
        assert_eq!(addresses, blue.addresses("net1"));

        assert_eq!(host.leases()[0]["id"], "blue");
        assert_eq!(host.leases()[0]["state"], "attached");
        let status = host.vfhook(&["status", "--json"]).json();
        assert_eq!(status["pools"][0]["kind"], "macvlan");
        assert_eq!(status["attention"], json!([]));
    });
}

#[test]
fn a_script_is_told_of_an_error_as_data() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        let failed = host.attach(&blue, "nowhere", &["--json"]).must_exit(2);
        let told: Value = serde_json::from_str(&failed.stdout).unwrap();
        assert_eq!(told["exit_code"], 2);
        assert!(told["error"].as_str().unwrap().contains("nowhere"), "{told}");
        assert!(told["causes"].is_array());
        // People are told the same, and are told of a configuration's problems one by one.
        assert!(failed.stderr.contains(told["error"].as_str().unwrap()), "{}", failed.stderr);
        host.configure("version = 1\npools = 3\nnetworks = 4\n");
        let failed = host.vfhook(&["status", "--json"]).must_exit(2);
        let told: Value = serde_json::from_str(&failed.stdout).unwrap();
        assert_eq!(told["problems"].as_array().map(Vec::len), Some(2), "{told}");
    });
}

#[test]
fn whoever_is_not_the_hosts_root_is_told_so() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        let attach = ["attach", "--netns", blue.as_str(), "--network", "storage"];
        let said = ["the host's root", "rootless"];
        let mut as_nobody = host.command(&attach);
        as_nobody.uid(65534).env("VFHOOK_STATE_DIR", "/nonexistent/vfhook");
        let program = as_nobody.get_program().to_owned();
        finish(&mut as_nobody, "").must_exit(5).must_say(&said);
        // Root of a user namespace is what a rootless runtime's hook is.
        let mut in_a_namespace = Command::new("unshare");
        in_a_namespace
            .args(["--user", "--map-root-user"])
            .arg(program)
            .args(attach)
            .envs(host.command(&attach).get_envs().filter_map(|(key, value)| Some((key, value?))));
        finish(&mut in_a_namespace, "").must_exit(5).must_say(&said);
        assert!(host.leases().is_empty());
    });
}
