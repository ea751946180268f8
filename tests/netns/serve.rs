//! `vfhook serve` against a runtime that speaks NRI and needs no container: pods get what they ask for, no container is
//! created without it, and nothing is left behind, whoever dies. What real containerd does is the lab's.

use std::{os::fd::OwnedFd, process::Stdio, time::Duration};

use containerd_nri::{
    Container, Event, PodSandbox,
    fake::{FakeRuntime, NriVersion, Outcome, Peer, Profile},
};
use nix::sys::signal::Signal;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::netns_support::{
    command::Running,
    dump::Dump,
    eventually::eventually,
    host::Host,
    node::{PATIENCE, connected, daemon, listen, on_a_node, pod, signal},
    sandbox::Sandbox,
};

/// A runtime, and the daemon that serves it.
struct Node {
    runtime: FakeRuntime,
    daemon: Running,
}

impl Node {
    fn new(host: &Host, nri: NriVersion) -> Self {
        Self { runtime: listen(host, nri), daemon: serve(host) }
    }

    /// Waits for the daemon to connect and tells it of these pods.
    async fn connected(&self, pods: &[PodSandbox]) -> Peer {
        connected(&self.runtime, pods).await
    }

    /// Ends the daemon as systemd does, and waits for its end.
    fn stop(self) {
        signal(&self.daemon, Signal::SIGTERM);
        self.daemon.wait().must_exit(0);
    }
}

fn serve(host: &Host) -> Running {
    Running::start(&mut daemon(host), "")
}

/// A daemon that logs from this level up.
fn serve_as(host: &Host, level: &str) -> Running {
    Running::start(daemon(host).env("VFHOOK_LOG", level), "")
}

fn container() -> Container {
    let mut container = Container::default();
    (container.id, container.name) = ("c1".to_owned(), "c1".to_owned());
    container
}

fn leases(host: &Host) -> usize {
    host.vfhook(&["status", "--json"]).json()["leases"].as_array().expect("a list").len()
}

#[test]
fn a_pod_gets_what_it_asks_for_and_leaves_no_trace() {
    for nri in [NriVersion::V0_6, NriVersion::V0_8, NriVersion::V0_12] {
        on_a_node(async |host| {
            let sandbox = host.sandbox("pod");
            let node = Node::new(host, nri);
            let mut peer = node.connected(&[]).await;
            let before = Dump::of_host_at_rest(host);
            let pod = pod("p1", Some(&sandbox), Some("storage"));
            assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod).await, Outcome::Answered(()));
            assert_eq!(sandbox.links(), ["net1", "svc0"]);
            assert!(peer.create_container(&pod, &container()).await.answer().is_some());
            let mut stopped = pod.clone();
            stopped.namespaces.clear();
            peer.pod_event(Event::StopPodSandbox, &stopped).await;
            // Links of ours may be deleted after the answer; whoever hears of the pod again waits for that.
            peer.pod_event(Event::RemovePodSandbox, &stopped).await;
            assert_eq!(sandbox.links(), Vec::<String>::new());
            before.must_be_again(host);
            node.stop();
        });
    }
}

#[test]
fn a_pod_that_asks_for_nothing_is_left_alone() {
    on_a_node(async |host| {
        let sandbox = host.sandbox("pod");
        let node = Node::new(host, NriVersion::V0_8);
        let mut peer = node.connected(&[]).await;
        let before = Dump::of_host_at_rest(host);
        for pod in [pod("p1", Some(&sandbox), None), pod("p2", None, None)] {
            assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod).await, Outcome::Answered(()));
            assert!(peer.create_container(&pod, &container()).await.answer().is_some());
        }
        assert_eq!(sandbox.links(), Vec::<String>::new());
        before.must_be_again(host);
        node.stop();
    });
}

#[test]
fn no_container_is_created_without_what_its_pod_asked_for() {
    // Where an error from RunPodSandbox would harm the runtime, only the container is refused.
    for (nri, sandbox_refused) in
        [(NriVersion::V0_8, false), (NriVersion::V0_12, true), (NriVersion::V0_6, true)]
    {
        on_a_node(async |host| {
            let sandbox = host.sandbox("pod");
            let node = Node::new(host, nri);
            let mut peer = node.connected(&[]).await;
            let before = Dump::of_host_at_rest(host);
            for (pod, reason) in [
                (pod("p1", Some(&sandbox), Some("nonesuch")), "unknown network nonesuch"),
                (pod("p2", Some(&sandbox), Some("[{")), "not the JSON list"),
                (pod("p3", None, Some("storage")), "no network namespace of its own"),
            ] {
                let ran = peer.pod_event(Event::RunPodSandbox, &pod).await;
                assert_eq!(ran.refusal().is_some(), sandbox_refused, "{ran:?}");
                let created = peer.create_container(&pod, &container()).await;
                let refusal = created.refusal().unwrap_or_else(|| panic!("{created:?}"));
                assert!(refusal.contains(reason), "{refusal}");
            }
            before.must_be_again(host);
            node.stop();
        });
    }
}

#[test]
fn a_container_of_a_running_pod_restarts_whatever_became_of_its_network() {
    on_a_node(async |host| {
        let sandbox = host.sandbox("pod");
        let node = Node::new(host, NriVersion::V0_8);
        let mut peer = node.connected(&[]).await;
        let pod = pod("p1", Some(&sandbox), Some("storage"));
        peer.pod_event(Event::RunPodSandbox, &pod).await;
        host.configure(&crate::netns_support::config::VETH.replace("\"storage\"", "\"renamed\""));
        signal(&node.daemon, Signal::SIGHUP);
        let other = host.sandbox("other");
        let mut new = pod.clone();
        (new.id, new.namespaces[0].path) = ("p2".to_owned(), other.as_str().to_owned());
        // It takes effect a moment after the signal.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(peer.create_container(&new, &container()).await.refusal().is_some());
        let again = peer.create_container(&pod, &container()).await;
        assert_eq!(again.refusal(), None);
        // The pod's own words may choose nothing else by then.
        new.id = pod.id.clone();
        new.namespaces.clone_from(&pod.namespaces);
        new.annotations.insert("vfhook.dev/networks".to_owned(), "storage@net7".to_owned());
        assert!(peer.create_container(&new, &container()).await.refusal().is_some());
        peer.pod_event(Event::StopPodSandbox, &pod).await;
        node.stop();
    });
}

#[test]
fn a_full_pool_says_so_and_the_next_try_succeeds() {
    on_a_node(async |host| {
        let node = Node::new(host, NriVersion::V0_8);
        let mut peer = node.connected(&[]).await;
        let before = Dump::of_host_at_rest(host);
        let sandboxes: Vec<Sandbox> = (0..8).map(|_| Sandbox::nameless()).collect();
        let pods: Vec<PodSandbox> = sandboxes
            .iter()
            .enumerate()
            .map(|(number, sandbox)| pod(&format!("p{number}"), Some(sandbox), Some("seven")))
            .collect();
        for pod in &pods {
            peer.pod_event(Event::RunPodSandbox, pod).await;
        }
        let refused = peer.create_container(&pods[7], &container()).await;
        assert!(
            refused.refusal().expect("refused").contains("no free IPv4 address"),
            "{refused:?}"
        );
        peer.pod_event(Event::StopPodSandbox, &pods[0]).await;
        assert!(peer.create_container(&pods[7], &container()).await.answer().is_some());
        for pod in &pods {
            peer.pod_event(Event::StopPodSandbox, pod).await;
        }
        before.must_be_again(host);
        node.stop();
    });
}

#[test]
fn a_namespace_that_dies_without_an_event_is_noticed() {
    on_a_node(async |host| {
        let node = Node::new(host, NriVersion::V0_8);
        let mut peer = node.connected(&[]).await;
        let before = Dump::of_host_at_rest(host);
        let sandbox = host.sandbox("pod");
        let pod = pod("p1", Some(&sandbox), Some("storage"));
        peer.pod_event(Event::RunPodSandbox, &pod).await;
        sandbox.delete();
        eventually("the lease is taken back", || leases(host) == 0);
        before.must_be_again(host);
        node.stop();
    });
}

#[test]
fn a_daemon_that_was_killed_finds_what_died_meanwhile() {
    on_a_node(async |host| {
        let mut node = Node::new(host, NriVersion::V0_8);
        let before = Dump::of_host_at_rest(host);
        let (dies, lives) = (host.sandbox("dies"), host.sandbox("lives"));
        let pods =
            [pod("p1", Some(&dies), Some("storage")), pod("p2", Some(&lives), Some("storage"))];
        let mut peer = node.connected(&[]).await;
        for pod in &pods {
            peer.pod_event(Event::RunPodSandbox, pod).await;
        }
        signal(&node.daemon, Signal::SIGKILL);
        dies.delete();
        let killed = std::mem::replace(&mut node.daemon, serve(host));
        drop(killed.wait());
        let mut peer = node.connected(&pods[1..]).await;
        eventually("the dead pod's lease is taken back", || leases(host) == 1);
        assert_eq!(lives.links(), ["net1", "svc0"]);
        peer.pod_event(Event::StopPodSandbox, &pods[1]).await;
        lives.delete();
        before.must_be_again(host);
        node.stop();
    });
}

#[test]
fn a_pod_that_the_runtime_no_longer_has_is_taken_back() {
    on_a_node(async |host| {
        let node = Node::new(host, NriVersion::V0_8);
        let sandbox = host.sandbox("pod");
        let before = Dump::of_host_at_rest(host);
        let mut peer = node.connected(&[]).await;
        let pod = pod("p1", Some(&sandbox), Some("storage"));
        peer.pod_event(Event::RunPodSandbox, &pod).await;
        // By hand, in a sandbox that no runtime knows: it is not the runtime's to declare gone.
        let other = host.sandbox("other");
        host.vfhook(&["attach", "--netns", other.as_str(), "--network", "backup"]).ok();
        drop(peer);
        let _peer = node.connected(&[]).await;
        eventually("the pod's lease is taken back", || leases(host) == 1);
        assert_eq!(other.links(), ["net2", "svc0"]);
        host.vfhook(&["detach", "--netns", other.as_str()]).ok();
        other.delete();
        before.must_be_again(host);
        node.stop();
    });
}

/// Starts the program as a runtime starts its plugins: no words, a connection as descriptor 3.
fn launched(host: &Host, trunk: std::os::unix::net::UnixStream) -> std::process::Child {
    let program = env!("CARGO_BIN_EXE_vfhook");
    let mut plugin = std::process::Command::new("/bin/sh");
    plugin
        .args(["-c", &format!("exec 3<&0 0</dev/null; exec {program}")])
        .env_clear()
        .env("NRI_PLUGIN_NAME", "vfhook")
        .env("NRI_PLUGIN_IDX", "10")
        .env("NRI_PLUGIN_SOCKET", "3")
        .env("VFHOOK_STATE_DIR", host.state_dir())
        .stdin(Stdio::from(OwnedFd::from(trunk)));
    plugin.spawn().expect("a shell")
}

#[test]
fn a_runtime_that_launches_it_says_where_the_configuration_is() {
    on_a_node(async |host| {
        let sandbox = host.sandbox("pod");
        let file = format!("config = {:?}", host.config_file());
        for (file, serves) in [(file.as_str(), true), ("config = \"nowhere\"", false)] {
            let mut profile = Profile::of(NriVersion::V0_8);
            profile.config = file.to_owned();
            let (mut peer, trunk) = FakeRuntime::launch(profile).expect("a socket pair");
            let mut plugin = launched(host, trunk);
            let introduced = peer.introduce(&[], &[]).await;
            assert_eq!(introduced.is_ok(), serves, "{introduced:?}");
            if serves {
                let pod = pod("p1", Some(&sandbox), Some("storage"));
                assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod).await, Outcome::Answered(()));
                assert_eq!(sandbox.links(), ["net1", "svc0"]);
                peer.pod_event(Event::StopPodSandbox, &pod).await;
            }
            // It has no other connection to hope for.
            peer.close();
            drop(peer);
            let ended =
                tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(move || plugin.wait()));
            let ended = ended.await.expect("it ends by itself").expect("a thread");
            assert!(!ended.expect("our child").success());
        }
        assert_eq!(leases(host), 0);
    });
}

/// A daemon that is stopped in the middle of a call: where the runtime can be told so, the call fails, and the next goes on without it.
#[test]
fn a_call_that_is_not_answered_fails_once_where_the_runtime_can_be_told_so() {
    for (nri, fails) in [(NriVersion::V0_12, false), (NriVersion::V0_12_4, true)] {
        on_a_node(async |host| {
            let sandbox = host.sandbox("pod");
            let node = Node::new(host, nri);
            let mut peer = node.connected(&[]).await;
            let before = Dump::of_host_at_rest(host);
            let pod = pod("p1", Some(&sandbox), Some("storage"));
            signal(&node.daemon, Signal::SIGSTOP);
            let outcome = peer.pod_event(Event::RunPodSandbox, &pod).await;
            let unanswered = if fails { Outcome::FailedClosed } else { Outcome::FailedOpen };
            assert_eq!(outcome, unanswered, "{nri:?}");
            // It is dropped: who asks for nothing does not wait for a daemon that hangs.
            assert!(peer.closed().await.is_none());
            signal(&node.daemon, Signal::SIGCONT);
            let mut peer = node.connected(&[]).await;
            assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod).await, Outcome::Answered(()));
            assert_eq!(sandbox.links(), ["net1", "svc0"]);
            peer.pod_event(Event::StopPodSandbox, &pod).await;
            peer.pod_event(Event::RemovePodSandbox, &pod).await;
            before.must_be_again(host);
            node.stop();
        });
    }
}

#[test]
fn what_a_pod_calls_itself_forges_no_line_of_the_log() {
    on_a_node(async |host| {
        let sandbox = host.sandbox("pod");
        let runtime = listen(host, NriVersion::V0_8);
        // As its unit has it, which is more than by default.
        let node = Node { runtime, daemon: serve_as(host, "info") };
        let before = Dump::of_host_at_rest(host);
        let mut peer = node.connected(&[]).await;
        for name in ["a\nERROR forged", "a\r\u{1b}[2Jb", "../../etc/passwd", &"x".repeat(4096)] {
            for asks in ["nonesuch", name] {
                let mut pod = pod("p1", Some(&sandbox), Some(asks));
                (pod.name, pod.namespace) = (name.to_owned(), name.to_owned());
                assert!(peer.create_container(&pod, &container()).await.refusal().is_some());
                pod.id = name.to_owned();
                assert!(peer.create_container(&pod, &container()).await.refusal().is_some());
            }
            let strange = pod(name, Some(&sandbox), Some(name));
            peer.pod_event(Event::RunPodSandbox, &strange).await;
            peer.pod_event(Event::StopPodSandbox, &strange).await;
        }
        assert_eq!((leases(host), sandbox.links()), (0, Vec::new()));
        before.must_be_again(host);
        signal(&node.daemon, Signal::SIGTERM);
        let said = node.daemon.wait().must_exit(0).stderr;
        assert!(said.contains("not attached"), "{said}");
        let fit = |letter: char| !letter.is_control() || letter == '\n';
        assert!(said.chars().all(fit), "{said:?}");
        for line in said.lines() {
            assert!(!line.starts_with("ERROR forged") && line.len() < 2048, "{line}");
        }
    });
}

#[test]
fn a_runtime_that_talks_nonsense_is_left_and_dialled_again() {
    let frame = |connection: u32, length: u32, payload: &[u8]| {
        [&connection.to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
    };
    on_a_node(async |host| {
        let mut node = Node::new(host, NriVersion::V0_8);
        for nonsense in [
            frame(1, u32::MAX, b"absurd"),
            frame(1, 0, b""),
            frame(1, 10, &[0xff; 10]),
            vec![0xff; 64 << 10],
        ] {
            let accepted = tokio::time::timeout(PATIENCE, node.runtime.accept_raw()).await;
            let mut trunk = accepted.expect("the daemon dials").expect("accept");
            // It may hang up in the middle.
            let _ = trunk.write_all(&nonsense).await;
            let mut rest = Vec::new();
            let ended = tokio::time::timeout(PATIENCE, trunk.read_to_end(&mut rest)).await;
            ended.unwrap_or_else(|_| panic!("it stays with {nonsense:?}")).ok();
        }
        assert!(node.daemon.child.try_wait().expect("our child").is_none(), "it ended");
        let sandbox = host.sandbox("pod");
        let mut peer = node.connected(&[]).await;
        let pod = pod("p1", Some(&sandbox), Some("storage"));
        assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod).await, Outcome::Answered(()));
        assert_eq!(sandbox.links(), ["net1", "svc0"]);
        peer.pod_event(Event::StopPodSandbox, &pod).await;
        node.stop();
    });
}

#[test]
fn a_pod_that_was_being_run_while_the_daemon_connected_keeps_what_it_gets() {
    on_a_node(async |host| {
        let node = Node::new(host, NriVersion::V0_6);
        let sandbox = host.sandbox("pod");
        // containerd 1.7 before 1.7.26 tells of such a pod neither in its list nor by RunPodSandbox.
        let mut peer = node.connected(&[]).await;
        let pod = pod("p1", Some(&sandbox), Some("storage"));
        assert!(peer.create_container(&pod, &container()).await.answer().is_some());
        // Links of ours came: the keeper looks at all leases.
        let other = host.sandbox("other");
        host.vfhook(&["attach", "--netns", other.as_str(), "--network", "backup", "--id", "o"])
            .ok();
        host.vfhook(&["detach", "--id", "o"]).ok();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(
            (leases(host), sandbox.links()),
            (1, vec!["net1".to_owned(), "svc0".to_owned()])
        );
        peer.pod_event(Event::StopPodSandbox, &pod).await;
        node.stop();
    });
}
