//! Little of everything, and much: many leases, a full disk, few descriptors, two daemons, an end in the middle, a
//! configuration that changes meanwhile. Whatever is refused is refused whole, and in the end the host is as it was.

use std::{
    collections::BTreeSet,
    fs,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::netns_support::{
    command::{Running, shell},
    config::VETH,
    container::Container,
    dump::Dump,
    host::{Host, on_a_host},
    node::{PATIENCE, connected, daemon, listen, on_a_node, pod, signal},
    sandbox::Sandbox,
};
use containerd_nri::{
    Event, PodSandbox,
    fake::{NriVersion, Outcome},
};
use nix::sys::signal::Signal;

const LEASES: usize = 200;
/// More pods than a daemon with so few descriptors could keep anything open for.
const DESCRIPTORS: usize = 64;
const PODS: usize = 80;
const ASKS: Option<&str> = Some("backup");

/// The host with a state directory, which stays.
fn baseline(host: &Host) -> Dump {
    host.vfhook(&["detach", "--id", "nobody"]).ok();
    Dump::of_host_at_rest(host)
}

#[test]
fn the_last_of_two_hundred_leases_costs_what_the_first_does() {
    on_a_host(|host| {
        let before = baseline(host);
        let sandboxes: Vec<Sandbox> = (0..=LEASES).map(|_| Sandbox::nameless()).collect();
        let messages = |sandbox: &Sandbox| {
            let report = host.attach(sandbox, "backup", &["--json"]).json();
            report["netlink_messages"].as_u64().expect("a count")
        };
        let costs: Vec<u64> = sandboxes.iter().map(messages).collect();
        // The first makes the masquerade table as well.
        assert_eq!(costs[1], costs[LEASES], "{costs:?}");
        assert_eq!(host.leases().len(), LEASES + 1);
        for some in sandboxes.chunks(8) {
            let start = |one: &Sandbox| host.start(&["detach", "--netns", one.as_str()], "");
            let running: Vec<Running> = some.iter().map(start).collect();
            for one in running {
                one.wait().ok();
            }
        }
        before.must_be_again(host);
    });
}

#[test]
fn a_full_disk_lets_nothing_begin_and_everything_end() {
    on_a_host(|host| {
        let state = host.state_dir();
        let state = state.to_str().expect("paths of tests are ASCII");
        shell(&format!("mkdir -p {state}; mount -t tmpfs -o size=4k,mode=700 tmpfs {state}")).ok();
        host.vfhook(&["status"]).ok();
        let before = Dump::of_host_at_rest(host);
        let blue = Sandbox::nameless();
        host.attach(&blue, "storage", &[]).must_exit(1).must_say(&["No space left"]);
        assert_eq!(blue.links(), [""; 0]);
        before.must_be_again(host);

        shell(&format!("mount -o remount,size=64k {state}")).ok();
        host.attach(&blue, "storage", &[]).ok();
        shell(&format!(
            "dd if=/dev/zero of={state}/filler bs=1k 2>/dev/null || test -s {state}/filler"
        ))
        .ok();
        host.detach(&blue).ok();
        assert_eq!(blue.links(), [""; 0]);
        fs::remove_file(format!("{state}/filler")).expect("our own file");
        before.must_be_again(host);
    });
}

#[test]
fn a_configuration_that_changes_meanwhile_is_the_old_or_the_new_one() {
    on_a_host(|host| {
        let before = baseline(host);
        let other = VETH.replace("10.96.0.0/12", "10.112.0.0/12");
        let is_done = AtomicBool::new(false);
        let blue = Sandbox::nameless();
        thread::scope(|scope| {
            let changes = scope.spawn(|| {
                let next = host.directory.join("next.toml");
                for text in [VETH, other.as_str()].into_iter().cycle() {
                    fs::write(&next, text).expect("write to our own tmpfs");
                    fs::rename(&next, host.config_file()).expect("rename on our own tmpfs");
                    if is_done.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
            let mut seen = BTreeSet::new();
            for _ in 0..40 {
                let report = host.attach(&blue, "storage", &["--json"]).json();
                seen.insert(report["service_cidrs"][0].to_string());
                host.detach(&blue).ok();
            }
            is_done.store(true, Ordering::Relaxed);
            changes.join().expect("it only writes");
            let both = ["\"10.112.0.0/12\"", "\"10.96.0.0/12\""];
            assert!(seen.iter().all(|cidr| both.contains(&cidr.as_str())), "{seen:?}");
        });
        before.must_be_again(host);
    });
}

/// Starts the daemon with no more descriptors than these.
fn serve(host: &Host, descriptors: usize) -> Running {
    let mut limited = Command::new("prlimit");
    let daemon = daemon(host);
    limited.arg(format!("--nofile={descriptors}:{descriptors}")).arg(daemon.get_program());
    limited.args(daemon.get_args());
    for (name, value) in daemon.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    Running::start(&mut limited, "")
}

fn end(daemon: Running) {
    signal(&daemon, Signal::SIGTERM);
    daemon.wait().must_exit(0);
}

async fn no_lease_is_left(host: &Host) {
    for _ in 0..PATIENCE.as_millis() / 50 {
        if host.leases().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:#?}", host.leases());
}

#[test]
fn a_daemon_with_few_descriptors_serves_many_pods() {
    on_a_node(async |host| {
        let runtime = listen(host, NriVersion::V0_8);
        let daemon = serve(host, DESCRIPTORS);
        let mut peer = connected(&runtime, &[]).await;
        let before = Dump::of_host_at_rest(host);
        let sandboxes: Vec<Sandbox> = (0..PODS).map(|_| Sandbox::nameless()).collect();
        let pods: Vec<PodSandbox> = sandboxes
            .iter()
            .enumerate()
            .map(|(n, one)| pod(&format!("p{n}"), Some(one), ASKS))
            .collect();
        for pod in &pods {
            assert_eq!(peer.pod_event(Event::RunPodSandbox, pod).await, Outcome::Answered(()));
        }
        assert!(sandboxes.iter().all(|one| one.links() == ["net2", "svc0"]));
        for pod in &pods {
            peer.pod_event(Event::StopPodSandbox, pod).await;
        }
        no_lease_is_left(host).await;
        before.must_be_again(host);
        end(daemon);
    });
}

#[test]
fn two_daemons_are_no_more_than_one() {
    on_a_node(async |host| {
        let runtime = listen(host, NriVersion::V0_8);
        let daemons = [serve(host, 1024), serve(host, 1024)];
        let mut peers = [connected(&runtime, &[]).await, connected(&runtime, &[]).await];
        let before = Dump::of_host_at_rest(host);
        let sandbox = Sandbox::nameless();
        let pod = pod("p1", Some(&sandbox), ASKS);
        for peer in &mut peers {
            assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod).await, Outcome::Answered(()));
        }
        assert_eq!(sandbox.links(), ["net2", "svc0"]);
        assert_eq!(host.leases().len(), 1);
        for peer in &mut peers {
            peer.pod_event(Event::StopPodSandbox, &pod).await;
        }
        before.must_be_again(host);
        daemons.into_iter().for_each(end);
    });
}

/// Pods over NRI and containers by hooks at once, more of them than there are addresses.
#[test]
fn a_daemon_and_hooks_share_what_there_is() {
    on_a_node(async |host| {
        let runtime = listen(host, NriVersion::V0_8);
        let daemon = serve(host, 1024);
        let mut peer = connected(&runtime, &[]).await;
        let before = Dump::of_host_at_rest(host);
        for round in 0..5 {
            let named = |kind: char, n: usize| format!("{kind}{round}-{n}");
            let container =
                |n| Container::with_own_namespace(host, &named('c', n)).asking_for("seven");
            let mut containers: Vec<Container> = (0..6).map(container).collect();
            let sandboxes: Vec<Sandbox> = (0..6).map(|_| Sandbox::nameless()).collect();
            let pods: Vec<PodSandbox> = sandboxes
                .iter()
                .enumerate()
                .map(|(n, one)| pod(&named('p', n), Some(one), Some("seven")))
                .collect();

            let start =
                |one: &Container| host.start(&["hook", "create-runtime"], &one.state.to_string());
            let hooks: Vec<Running> = containers.iter().map(start).collect();
            for pod in &pods {
                peer.pod_event(Event::RunPodSandbox, pod).await;
            }
            for hook in hooks {
                hook.wait();
            }
            let own: Vec<Sandbox> = containers.iter().map(Container::sandbox).collect();
            let has = |one: &&Sandbox| one.links().contains(&"net1".to_owned());
            let given: Vec<String> = own
                .iter()
                .chain(&sandboxes)
                .filter(has)
                .flat_map(|one| one.addresses("net1"))
                .collect();
            let different: BTreeSet<&String> = given.iter().collect();
            assert_eq!((given.len(), different.len(), host.leases().len()), (7, 7, 7), "{given:?}");

            containers.iter_mut().for_each(Container::kill);
            let start = |one: &Container| host.start(&["hook", "poststop"], &one.state.to_string());
            let hooks: Vec<Running> = containers.iter().map(start).collect();
            for pod in &pods {
                peer.pod_event(Event::StopPodSandbox, pod).await;
            }
            for hook in hooks {
                hook.wait().ok();
            }
            no_lease_is_left(host).await;
        }
        before.must_be_again(host);
        end(daemon);
    });
}

#[test]
fn a_daemon_told_to_end_in_the_middle_leaves_nothing_half_done() {
    on_a_node(async |host| {
        let runtime = listen(host, NriVersion::V0_8);
        let before = baseline(host);
        for delay in 0..12 {
            let daemon = serve(host, 1024);
            let mut peer = connected(&runtime, &[]).await;
            let sandbox = Sandbox::nameless();
            let pod = pod(&format!("p{delay}"), Some(&sandbox), ASKS);
            let told = async {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                signal(&daemon, Signal::SIGTERM);
            };
            tokio::join!(peer.pod_event(Event::RunPodSandbox, &pod), told);
            daemon.wait().must_exit(0);
            let links = sandbox.links();
            assert!(links.is_empty() || links == ["net2", "svc0"], "{delay} ms: {links:?}");
            assert_eq!(links.is_empty(), host.leases().is_empty(), "{delay} ms");
            host.detach(&sandbox).ok();
        }
        before.must_be_again(host);
    });
}
