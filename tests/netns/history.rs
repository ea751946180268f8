//! What was done is told whoever did it, found again by whatever one knows of it, and costs nobody what he asked for.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Instant};

use crate::netns_support::{
    card::{Cards, vf},
    command::{Ran, shell},
    container::Container,
    dump::Dump,
    eventually::becomes,
    host::{Host, on_a_host},
    node::{connected, daemon, listen, on_a_node, pod, signal},
};
use containerd_nri::{Event, fake::NriVersion};
use nix::sys::signal::Signal;
use serde_json::Value;

fn directory(host: &Host) -> PathBuf {
    host.directory.join("state-history")
}

/// What `vfhook history` tells, with these words behind it.
fn told(host: &Host, words: &[&str]) -> Vec<Value> {
    let json = host.vfhook(&[&["history", "--json"], words].concat()).json();
    json.as_array().cloned().expect("a list")
}

fn words(entries: &[Value]) -> Vec<String> {
    let word = |entry: &Value| {
        let text = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("what"), text("by"), text("id"))
    };
    entries.iter().map(word).collect()
}

#[test]
fn what_was_done_is_told_and_found_by_what_one_knows() {
    on_a_host(|host| {
        let (blue, red) = (host.sandbox("blue"), host.sandbox("red"));
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        let before = Dump::of_host_at_rest(host);
        host.attach(&red, "backup", &["--id", "red"]).ok();
        host.attach(&red, "storage", &["--id", "red"]).must_exit(2);
        host.vfhook(&["detach", "--id", "red"]).ok();
        // It is beside the state directory, which is as it was.
        before.must_be_again(host);
        host.vfhook(&["detach", "--id", "blue"]).ok();
        let all = told(host, &[]);
        let expected = [
            "attached command blue",
            "attached command red",
            "refused command red",
            "taken-back command red",
            "taken-back command blue",
        ];
        assert_eq!(words(&all), expected);
        assert_eq!(words(&told(host, &["blue"])), [expected[0], expected[4]]);
        assert_eq!(words(&told(host, &["backup"])), [expected[1], expected[3]]);
        let address = all[1]["networks"][0]["addresses"][0].as_str().unwrap();
        let address = address.split('/').next().unwrap();
        assert_eq!(words(&told(host, &[address])), [expected[1], expected[3]]);
        assert!(all[1]["us"].as_u64().is_some_and(|us| us > 100), "{}", all[1]);
        assert_eq!((&all[2]["reason"], all[2]["v"].as_u64()), (&"conflict".into(), Some(1)));
        assert!(all[2]["why"].as_str().unwrap().contains("asks for storage"), "{}", all[2]);
        assert_eq!(told(host, &["--since", "1h"]).len(), 5);
        assert_eq!(told(host, &["--since", "0s"]).len(), 0);
        assert_eq!(told(host, &["nonesuch"]).len(), 0);
        let shown = host.vfhook(&["history"]).ok();
        assert!(shown.contains("red has backup@net2"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let mode = fs::metadata(directory(host)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
    });
}

#[test]
fn who_had_a_vf_at_a_moment_is_one_question() {
    on_a_host(|host| {
        let _cards = Cards::usual(host, 2);
        host.configure(&VFS.replace("CARD", "p0"));
        let (one, two) = (host.sandbox("one"), host.sandbox("two"));
        let had = |moment: &str| {
            let entries = told(host, &[&vf(0), "--at", moment]);
            entries.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let now = || shell("date -u +%Y-%m-%dT%H:%M:%S.%6NZ").ok().trim().to_owned();
        let never = now();
        host.attach(&one, "wire", &["--id", "one"]).ok();
        let ones = now();
        host.vfhook(&["detach", "--id", "one", "--timeout", "1"]);
        assert_eq!(had(&never), [""; 0]);
        assert_eq!(had(&ones), ["one"]);
        // Of what nobody tells any more, the lease does.
        fs::remove_file(directory(host).join("journal")).unwrap();
        host.attach(&two, "wire", &["--id", "two"]).ok();
        fs::remove_file(directory(host).join("journal")).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let entries = told(host, &["--at", &now()]);
        assert!(words(&entries).contains(&"attached command two".to_owned()), "{entries:?}");
    });
}

/// One network of VFs, without a service path.
const VFS: &str = r#"
version = 1
[[pool]]
name = "vfs"
kind = "sriov"
pf = ["CARD"]
[[network]]
name = "wire"
pool = "vfs"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]
"#;

#[test]
fn hooks_runtimes_and_the_keeper_tell_in_the_same_journal() {
    on_a_node(async |host| {
        let runtime = listen(host, NriVersion::V0_8);
        let serving = crate::netns_support::command::Running::start(&mut daemon(host), "");
        let mut peer = connected(&runtime, &[]).await;
        let sandbox = host.sandbox("pod");
        let web = pod("web-0", Some(&sandbox), Some("storage"));
        peer.pod_event(Event::RunPodSandbox, &web).await;
        let mut container = Container::with_own_namespace(host, "c1").asking_for("storage");
        container.hook(host, "create-runtime").ok();
        container.poststop(host).ok();
        // Somebody takes an address away: the keeper gives it again.
        sandbox.ip("address flush dev net1");
        let all = || words(&told(host, &[]));
        let has = |word: &str| all().iter().any(|told| told.starts_with(word));
        becomes("the keeper tells", || has("mended keeper web-0")).await;
        peer.pod_event(Event::StopPodSandbox, &web).await;
        becomes("its end is told", || has("taken-back nri web-0")).await;
        for word in ["attached nri web-0", "attached hook c1", "taken-back hook c1"] {
            assert!(has(word), "{word}: {:?}", all());
        }
        let of_pod = told(host, &["team-a/web-0"]);
        assert_eq!(of_pod.len(), 3, "{of_pod:?}");
        assert!(host.vfhook(&["history", "web-0"]).ok().contains("team-a/web-0"));
        // A namespace that dies, and nobody tells.
        let dying = host.sandbox("dying");
        host.attach(&dying, "backup", &["--id", "dying"]).ok();
        dying.delete();
        becomes("the keeper takes back", || has("taken-back keeper dying")).await;
        signal(&serving, Signal::SIGTERM);
        serving.wait().must_exit(0);
    });
}

#[test]
fn a_sandbox_is_explained_step_by_step_and_by_what_holds() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        let explain = |word: &str| host.vfhook(&["explain", word]).ok();
        let well = explain("blue");
        for part in ["sandbox blue", "storage as net1", "1. holds", "all of it holds", "attached"] {
            assert!(well.contains(part), "{part}\n{well}");
        }
        assert!(well.lines().all(|line| line.chars().count() <= 80), "{well}");
        blue.ip("address flush dev net1 scope global");
        let ill = explain("storage");
        assert!(ill.contains("DOES NOT HOLD") && ill.contains("steps do not hold"), "{ill}");
        let json = host.vfhook(&["explain", "blue", "--json"]).json();
        let steps = json["sandboxes"][0]["steps"].as_array().unwrap();
        assert!(steps.iter().any(|step| step["holds"] == false && step["why"].is_string()));
        assert_eq!(json["history"][0]["what"], "attached");
        host.vfhook(&["detach", "--id", "blue"]).ok();
        let gone = explain("blue");
        assert!(gone.contains("no sandbox") && gone.contains("taken-back"), "{gone}");
        host.vfhook(&["explain", "nonesuch"]).must_exit(0).must_say(&["nothing of it is told"]);
    });
}

fn attach_and_detach(host: &Host) -> [Ran; 2] {
    let sandbox = host.sandbox("tried");
    let ran = [
        host.attach(&sandbox, "storage", &["--id", "tried"]).must_exit(0),
        host.vfhook(&["detach", "--id", "tried"]).must_exit(0),
    ];
    sandbox.delete();
    ran
}

#[test]
fn nobody_is_refused_because_it_cannot_be_told() {
    on_a_host(|host| {
        let there = directory(host);
        let path = there.display();
        for (made, gone) in [
            (format!("touch {path}"), format!("rm {path}")),
            (format!("mkdir -m 755 {path}"), format!("rmdir {path}")),
            (format!("ln -s /nowhere {path}"), format!("rm {path}")),
            (
                format!("mkdir -m 700 {path}; mount -t tmpfs -o ro,mode=0700 tmpfs {path}"),
                format!("umount {path}; rmdir {path}"),
            ),
            (
                format!(
                    "mkdir -m 700 {path}; mount -t tmpfs -o mode=0700,size=4k tmpfs {path}; dd if=/dev/zero of={path}/x bs=4k count=1 2>&1"
                ),
                format!("umount {path}; rmdir {path}"),
            ),
        ] {
            shell(&made).ok();
            for ran in attach_and_detach(host) {
                assert!(ran.stderr.contains("the history lacks"), "{made}: {ran:#?}");
            }
            shell(&gone).ok();
        }
        for ran in attach_and_detach(host) {
            assert_eq!(ran.stderr, "");
        }
        assert_eq!(told(host, &[]).len(), 2);
    });
}

#[test]
fn who_is_not_root_is_told_so_and_a_moment_that_is_none_is_refused() {
    on_a_host(|host| {
        attach_and_detach(host);
        host.vfhook(&["history", "--at", "25:00"]).must_exit(2).must_say(&["03:00"]);
        host.vfhook(&["history", "--at", "2h", "--since", "2h"]).must_exit(2);
        host.vfhook(&["history", "--at", "2h"]).must_exit(0).must_say(&["nobody had it"]);
    });
}

/// To tell is one file opened, one line written, and closed: far less than any step.
#[test]
fn telling_costs_next_to_nothing() {
    on_a_host(|host| {
        let sandbox = host.sandbox("blue");
        host.attach(&sandbox, "storage", &["--id", "blue"]).ok();
        let line = fs::read_to_string(directory(host).join("journal")).unwrap();
        let entry: vfhook::history::Entry = serde_json::from_str(line.trim()).unwrap();
        let history = host.context().leases.history().clone();
        let mut times: Vec<_> = (0..1001)
            .map(|_| {
                let began = Instant::now();
                history.tell(entry.clone()).unwrap();
                began.elapsed()
            })
            .collect();
        times.sort();
        eprintln!("telling: median {:?}, 99 %: {:?}", times[500], times[990]);
        assert!(times[500].as_micros() < 1000, "{:?}", times[500]);
    });
}
