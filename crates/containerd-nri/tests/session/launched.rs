//! The example, as a process: launched with a connection as a runtime does it, and dialing.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use containerd_nri::Event;
use containerd_nri::fake::{FakeRuntime, NriVersion, Outcome, Profile};

use crate::recorder::{pod, within};

fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let build = test.parent().and_then(|deps| deps.parent()).unwrap();
    let example = build.join("examples/event_logger");
    assert!(example.exists(), "build the examples first");
    example
}

/// The process is waited for in another thread: the peer needs this one.
async fn end(child: Child) -> (bool, String) {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn launched_with_nothing_but_what_a_runtime_gives() {
    let (mut peer, trunk) = FakeRuntime::launch(Profile::of(NriVersion::V0_12)).unwrap();
    // The shell puts the connection where runtimes put it, with no other way to do it safely.
    let child = Command::new("/bin/sh")
        .args(["-c", r#"exec "$0" 3<&0 0</dev/null"#])
        .arg(example())
        .env_clear()
        .env("NRI_PLUGIN_SOCKET", "3")
        .env("NRI_PLUGIN_NAME", "renamed")
        .env("NRI_PLUGIN_IDX", "77")
        .stdin(Stdio::from(OwnedFd::from(trunk)))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let registration = within(peer.register()).await.unwrap();
    assert_eq!((registration.name.as_str(), registration.index.as_str()), ("renamed", "77"));
    registration.accept();
    within(peer.configure()).await.unwrap();
    within(peer.synchronize(&[pod("old")], &[])).await.unwrap();
    let outcome = within(peer.pod_event(Event::RunPodSandbox, &pod("new"))).await;
    assert_eq!(outcome, Outcome::Answered(()));
    drop(peer);
    let (succeeded, log) = within(end(child)).await;
    assert!(!succeeded, "a launched plugin that lost its runtime ends with an error");
    assert!(log.contains("pod-old") && log.contains("RunPodSandbox"), "{log}");
}

#[tokio::test]
async fn dials_and_stops_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nri.sock");
    let runtime = FakeRuntime::listen(&socket, Profile::of(NriVersion::V0_8)).unwrap();
    let child = Command::new(example())
        .arg(&socket)
        .env_remove("NRI_PLUGIN_SOCKET")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut peer = within(runtime.accept()).await.unwrap();
    within(peer.introduce(&[], &[])).await.unwrap();
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let (succeeded, log) = within(end(child)).await;
    assert!(succeeded, "{log}");
    assert!(log.contains("2.1.9+unknown"), "{log}");
}

#[tokio::test]
async fn a_descriptor_that_is_no_connection_is_said_so() {
    for (number, word) in [("3x", "3x"), ("-1", "-1"), ("0", "not a socket"), ("99", "99")] {
        let output = Command::new(example())
            .env("NRI_PLUGIN_SOCKET", number)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(log.contains(word), "{number}: {log}");
    }
}
