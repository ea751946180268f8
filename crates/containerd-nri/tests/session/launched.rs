//! A plugin launched as a process, with a connection and nothing else, as runtimes do it. The
//! process is this test program, told to be the plugin.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use containerd_nri::fake::{FakeRuntime, NriVersion, Outcome};
use containerd_nri::{Event, Launch, LaunchError};

use crate::recorder::{Recorder, patient, pod, session, within};

/// The variable by which a runtime says that it launched a plugin.
const SOCKET: &str = "NRI_PLUGIN_SOCKET";

/// How this process was launched. By the tests below as a plugin: then it is one, says what it sees, and fails if it could not be
/// launched. By whoever runs tests: then there is no connection, and a plugin would dial.
#[test]
fn as_it_was_launched() {
    if std::env::var_os(SOCKET).is_none() {
        let launch = Launch::detect("/nowhere").unwrap_or_else(|error| panic!("{error:#?}"));
        assert!(
            matches!(&launch, Launch::External { socket } if socket.as_os_str() == "/nowhere"),
            "{launch:?}"
        );
        return;
    }
    let plugin = Recorder::of(&[Event::RunPodSandbox]);
    let launch = Launch::detect("/nowhere").unwrap_or_else(|error| panic!("{error:#?} {error}"));
    assert!(matches!(launch, Launch::Inherited { .. }), "{launch:?}");
    assert!(matches!(Launch::detect("/nowhere"), Err(LaunchError::Taken)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lost = runtime.block_on(session(plugin.clone(), launch).run()).unwrap_err();
    eprintln!("{:?} {lost}", plugin.seen());
}

/// Launches it, its standard input being what is inherited.
fn launch(inherited: Stdio, number: &str) -> Child {
    // The shell moves the connection to where runtimes put it.
    Command::new("/bin/sh")
        .args(["-c", r#"exec "$0" "$@" 3<&0 0</dev/null"#])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "launched::as_it_was_launched"])
        .env_clear()
        .env(SOCKET, number)
        .env("NRI_PLUGIN_NAME", "renamed")
        .env("NRI_PLUGIN_IDX", "77")
        .stdin(inherited)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits in another thread: the peer needs this one.
async fn end(child: Child) -> (bool, String) {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn launched_with_nothing_but_what_a_runtime_gives() {
    for nri in [NriVersion::V0_6, NriVersion::V0_12] {
        let (mut peer, trunk) = FakeRuntime::launch(patient(nri)).unwrap();
        let child = launch(OwnedFd::from(trunk).into(), "3");
        let registration = within(peer.register()).await.unwrap();
        assert_eq!((&*registration.name, &*registration.index), ("renamed", "77"));
        registration.accept();
        within(peer.configure()).await.unwrap();
        within(peer.synchronize(&[pod("old")], &[])).await.unwrap();
        let outcome = within(peer.pod_event(Event::RunPodSandbox, &pod("new"))).await;
        assert_eq!(outcome, Outcome::Answered(()));
        drop(peer);
        let (succeeded, log) = within(end(child)).await;
        assert!(succeeded, "{log}");
        assert!(
            log.contains("RunPodSandbox new") && log.contains("closed the connection"),
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_descriptor_that_is_no_connection_is_said_so() {
    for (number, word) in [("3x", "3x"), ("-1", "-1"), ("3", "not a socket"), ("99", "99")] {
        let (succeeded, log) = within(end(launch(Stdio::null(), number))).await;
        assert!(!succeeded && log.contains(word), "{number}: {log}");
    }
}
