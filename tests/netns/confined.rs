//! vfhook with no more than `nri-config/vfhook.service` leaves it: its capabilities, its system calls, its families of
//! sockets. Whatever the daemon does goes on, and without any one of the capabilities something does not.

use std::{
    collections::BTreeMap, fs, os::unix::process::CommandExt as _, panic, path::Path,
    process::Command, thread,
};

use crate::netns_support::{
    command::{Ran, Running},
    config::both,
    dump::Dump,
    host::{Host, on_a_host, with_bpf},
    node::{connected, daemon, listen, on_a_node, pod, signal},
};
use caps::{CapSet, Capability};
use containerd_nri::{
    Event,
    fake::{NriVersion, Outcome},
};
use nix::sys::signal::Signal;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};
use syscalls::Sysno;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The values that the unit has for `key`, line by line.
fn unit(key: &str) -> Vec<String> {
    let text = read("nri-config/vfhook.service");
    let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

fn capabilities() -> Vec<Capability> {
    let lists = unit("CapabilityBoundingSet");
    assert_eq!(lists.len(), 1, "{lists:?}");
    lists[0].split(' ').map(|name| name.parse().unwrap()).collect()
}

/// The filter that systemd makes of the unit.
fn filter() -> BpfProgram {
    // What these words stand for is in the list.
    assert_eq!(unit("SystemCallFilter"), ["@system-service", "~@privileged @resources", "bpf"]);
    let list = read("tests/data/system-calls.txt");
    let names = list.lines().filter(|line| !line.starts_with('#'));
    // The list has the calls of all machines.
    let known = names.filter_map(|name| name.parse::<Sysno>().ok());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        known.map(|call| (i64::from(call.id()), Vec::new())).collect();
    assert!(rules.len() > 200, "only {} system calls", rules.len());
    rules.insert(i64::from(Sysno::socket.id()), families());
    rules.insert(i64::from(Sysno::bpf.id()), Vec::new());
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let refuse = SeccompAction::Errno(nix::libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, architecture)
        .and_then(TryInto::try_into)
        .unwrap()
}

/// Sockets of the families that the unit lets be.
fn families() -> Vec<SeccompRule> {
    let family = |name: &str| match name {
        "AF_UNIX" => nix::libc::AF_UNIX,
        "AF_NETLINK" => nix::libc::AF_NETLINK,
        "AF_INET" => nix::libc::AF_INET,
        "AF_PACKET" => nix::libc::AF_PACKET,
        "AF_INET6" => nix::libc::AF_INET6,
        other => panic!("{other} is new: say here which it is"),
    };
    let lists = unit("RestrictAddressFamilies");
    let rule = |name| {
        let number = u64::from(family(name).unsigned_abs());
        let is_it =
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, number).unwrap();
        SeccompRule::new(vec![is_it]).unwrap()
    };
    lists[0].split(' ').map(rule).collect()
}

/// Starts a program as the unit does, without one of its capabilities where one is named. Whoever starts it is confined
/// as well, and so is a thread of its own.
fn start(command: &mut Command, without: Option<Capability>) -> Running {
    let mut kept = capabilities();
    if let Some(without) = without {
        assert!(kept.contains(&without), "the unit has no {without}");
        kept.retain(|kept| *kept != without);
    }
    let confined = || {
        for other in caps::all().into_iter().filter(|other| !kept.contains(other)) {
            caps::drop(None, CapSet::Bounding, other).unwrap();
        }
        apply_filter(&filter()).unwrap();
        Running::start(command, "")
    };
    thread::scope(|scope| {
        scope.spawn(confined).join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

fn run(host: &Host, words: &[&str], without: Option<Capability>) -> Ran {
    start(host.command(words).env("VFHOOK_LOG", "debug"), without).wait()
}

#[test]
fn the_daemon_serves_a_pod_with_what_its_unit_leaves_it() {
    on_a_node(serve_a_pod);
}

async fn serve_a_pod(host: &Host) {
    let runtime = listen(host, NriVersion::V0_12);
    let daemon = start(&mut daemon(host), None);
    let mut peer = connected(&runtime, &[]).await;
    let before = Dump::of_host_at_rest(host);
    let sandbox = host.sandbox("pod");
    let pod = pod("p1", Some(&sandbox), Some("storage"));
    assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod).await, Outcome::Answered(()));
    assert_eq!(sandbox.links(), ["net1", "svc0"]);
    // It reads its configuration again and looks at its leases.
    signal(&daemon, Signal::SIGHUP);
    assert_eq!(peer.pod_event(Event::StopPodSandbox, &pod).await, Outcome::Answered(()));
    sandbox.delete();
    before.must_be_again(host);
    signal(&daemon, Signal::SIGTERM);
    let said = daemon.wait().must_exit(0).stderr;
    assert!(!said.contains("ERROR"), "{said}");
}

#[test]
fn services_become_backends_with_it() {
    on_a_host(|host| {
        with_bpf();
        host.configure(&both());
        let blue = host.sandbox("blue").quiet();
        drop(host.context());
        let before = Dump::of_host_at_rest(host);
        let attach = ["attach", "--netns", blue.as_str(), "--network", "storage", "--id", "blue"];
        for words in
            [&attach[..], &["status"], &["doctor"], &["reconcile"], &["detach", "--id", "blue"]]
        {
            let ran = run(host, words, None);
            assert!(!ran.stdout.contains("VFH0056"), "{ran:?}");
            if words[0] != "doctor" {
                ran.must_exit(0);
            }
        }
        before.must_be_again(host);
    });
}

#[test]
fn every_verb_that_changes_something_works_with_it() {
    on_a_host(|host| {
        let blue = host.sandbox("blue").quiet();
        let attach = ["attach", "--netns", blue.as_str(), "--network", "storage", "--id", "blue"];
        for words in [&attach[..], &["status"], &["reconcile"], &["detach", "--id", "blue"]] {
            run(host, words, None).must_exit(0);
        }
    });
}

#[test]
fn without_any_one_of_its_capabilities_something_is_refused() {
    on_a_host(|host| {
        let blue = host.sandbox("blue").quiet();
        let mut nobodys = Command::new("unshare");
        nobodys.args(["--net", "setpriv", "--reuid=65534", "--clear-groups", "sleep", "600"]);
        let mut nobodys = Running::start(nobodys.arg0("unshare"), "");
        let pid = nobodys.child.id();
        let is_theirs = || {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status.contains("Uid:\t65534") && status.contains("Name:\tsleep")
        };
        while !is_theirs() {
            thread::yield_now();
        }
        let by_pid = pid.to_string();
        let mut tried = Vec::new();
        for (capability, which) in [
            (Capability::CAP_NET_ADMIN, ["--netns", blue.as_str()]),
            (Capability::CAP_NET_RAW, ["--netns", blue.as_str()]),
            (Capability::CAP_SYS_ADMIN, ["--netns", blue.as_str()]),
            (Capability::CAP_SYS_PTRACE, ["--pid", &by_pid]),
        ] {
            tried.push(capability);
            let words = [&["attach", "--network", "storage", "--id", "x"][..], &which].concat();
            for (without, suffers) in [(Some(capability), true), (None, false)] {
                let ran = run(host, &words, without);
                // What cannot be announced is no reason to fail.
                let lacks = ran.code != Some(0) || ran.stderr.contains("not advertised");
                assert_eq!(lacks, suffers, "without {without:?}: {ran:?}");
                run(host, &["detach", "--id", "x"], None).must_exit(0);
                assert!(host.leases().is_empty());
            }
        }
        let sorted = |all: &[Capability]| {
            let mut names: Vec<String> = all.iter().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(sorted(&tried), sorted(&capabilities()));
        nobodys.child.kill().expect("kill a child of ours");
        nobodys.wait();
    });
}
