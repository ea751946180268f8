//! A runtime that goes away, or refuses, at each step; the session always comes back.

use std::time::Duration;

use containerd_nri::fake::{FakeRuntime, NriVersion, Outcome, PeerError, Profile};
use containerd_nri::{CallError, Event, Launch, Lost, Phase, State};

use crate::recorder::{Node, Recorder, patient, pod, session, within};

fn node() -> (Node, Recorder) {
    let plugin = Recorder::of(&[Event::RunPodSandbox]);
    (Node::with(plugin.clone(), patient(NriVersion::V0_8)), plugin)
}

/// The session comes back, and the connection works.
async fn comes_back(node: &Node) {
    let mut peer = node.serving().await;
    let outcome = within(peer.pod_event(Event::RunPodSandbox, &pod("back"))).await;
    assert_eq!(outcome, Outcome::Answered(()));
}

#[tokio::test]
async fn closed_at_once() {
    let (node, _) = node();
    drop(node.peer().await);
    assert!(matches!(*node.lost().await, Lost::Closed { during: Phase::Registering }));
    comes_back(&node).await;
}

#[tokio::test]
async fn closed_instead_of_an_answer_to_the_registration() {
    let (node, _) = node();
    let mut peer = node.peer().await;
    let _registration = within(peer.register()).await.unwrap();
    drop(peer);
    assert!(matches!(*node.lost().await, Lost::Closed { during: Phase::Registering }));
    comes_back(&node).await;
}

#[tokio::test]
async fn refused_registration() {
    let (node, _) = node();
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().refuse("not today");
    match &*node.lost().await {
        Lost::Register { plugin, source: CallError::Refused { message, .. } } => {
            assert_eq!((plugin.as_str(), message.as_str()), ("10-recorder", "not today"));
        }
        other => panic!("{other:?}"),
    }
    comes_back(&node).await;
}

#[tokio::test]
async fn closed_after_the_registration() {
    let (node, _) = node();
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(peer);
    assert!(matches!(*node.lost().await, Lost::Closed { during: Phase::Registering }));
    comes_back(&node).await;
}

#[tokio::test]
async fn closed_after_the_configuration_as_for_a_bad_subscription() {
    let (node, _) = node();
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    within(peer.configure()).await.unwrap();
    drop(peer);
    let lost = node.lost().await;
    assert!(matches!(*lost, Lost::Closed { during: Phase::Synchronizing }), "{lost:?}");
    assert!(lost.to_string().contains("event"), "{lost}");
    comes_back(&node).await;
}

#[tokio::test]
async fn closed_while_the_plugin_is_configured() {
    let plugin = Recorder::of(&[Event::RunPodSandbox]).taking("Configure", Duration::from_secs(1));
    let node = Node::with(plugin.clone(), patient(NriVersion::V0_8));
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    let configuring = tokio::spawn(async move { peer.configure().await.map(|_| peer) });
    plugin.sees("Configure containerd").await;
    configuring.abort();
    assert!(matches!(*node.lost().await, Lost::Closed { during: Phase::Configuring }));
    plugin.sees("Configure containerd ended").await;
    comes_back(&node).await;
}

#[tokio::test]
async fn closed_while_the_plugin_synchronizes() {
    let plugin =
        Recorder::of(&[Event::RunPodSandbox]).taking("Synchronize", Duration::from_secs(1));
    let node = Node::with(plugin.clone(), patient(NriVersion::V0_8));
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    within(peer.configure()).await.unwrap();
    let synchronizing = tokio::spawn(async move { peer.synchronize(&[], &[]).await.map(|_| peer) });
    plugin.sees("Synchronize 0 0").await;
    synchronizing.abort();
    assert!(matches!(*node.lost().await, Lost::Closed { during: Phase::Synchronizing }));
    plugin.sees("Synchronize 0 0 ended").await;
    comes_back(&node).await;
}

#[tokio::test]
async fn closed_while_serving() {
    let (node, _) = node();
    drop(node.serving().await);
    assert!(matches!(*node.lost().await, Lost::Closed { during: Phase::Serving }));
    comes_back(&node).await;
}

#[tokio::test]
async fn closed_in_the_middle_of_an_event_whose_handler_goes_on() {
    let plugin =
        Recorder::of(&[Event::RunPodSandbox]).taking("RunPodSandbox", Duration::from_secs(1));
    let node = Node::with(plugin.clone(), patient(NriVersion::V0_12));
    let mut peer = node.serving().await;
    let event = tokio::spawn(async move {
        let outcome = peer.pod_event(Event::RunPodSandbox, &pod("p")).await;
        (outcome, peer)
    });
    plugin.sees("RunPodSandbox p 10.0.0.7").await;
    event.abort();
    assert!(matches!(*node.lost().await, Lost::Closed { during: Phase::Serving }));
    plugin.sees("RunPodSandbox p 10.0.0.7 ended").await;
}

#[tokio::test]
async fn a_runtime_that_never_configures_is_left() {
    let mut profile = Profile::of(NriVersion::V0_8);
    profile.registration_timeout = Duration::from_millis(200);
    let node = Node::with(Recorder::of(&[Event::RunPodSandbox]), profile);
    // The timeout is told in the first handshake, and holds from the second on.
    drop(node.serving().await);
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    assert!(matches!(*node.lost().await, Lost::Closed { .. }));
    let lost = node.lost().await;
    assert!(
        matches!(*lost, Lost::NotConfigured { waited } if waited.as_millis() == 200),
        "{lost:?}"
    );
    comes_back(&node).await;
}

#[tokio::test]
async fn a_runtime_that_never_answers_the_registration_is_left() {
    let mut profile = Profile::of(NriVersion::V0_8);
    profile.registration_timeout = Duration::from_millis(200);
    let node = Node::with(Recorder::of(&[Event::RunPodSandbox]), profile);
    drop(node.serving().await);
    let mut peer = node.peer().await;
    let _unanswered = within(peer.register()).await.unwrap();
    assert!(within(peer.closed()).await.is_none());
    assert!(matches!(*node.lost().await, Lost::Closed { .. }));
    match &*node.lost().await {
        Lost::Register { source: CallError::Timeout { waited }, .. } => {
            assert_eq!(waited.as_millis(), 200);
        }
        other => panic!("{other:?}"),
    }
    comes_back(&node).await;
}

#[tokio::test]
async fn a_plugin_that_refuses_the_configuration_gets_another_chance() {
    let plugin = Recorder { refuses: Some("Configure"), ..Recorder::of(&[Event::RunPodSandbox]) };
    let node = Node::with(plugin.clone(), patient(NriVersion::V0_8));
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    match within(peer.configure()).await {
        Err(PeerError::Refused { message, .. }) => assert_eq!(message, "Configure is refused"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(*node.lost().await, Lost::Closed { during: Phase::Configuring }));
    node.peer().await;
}

#[tokio::test]
async fn a_runtime_restart_is_outlived_with_growing_patience() {
    let (mut node, _) = node();
    let peer = node.serving().await;
    let mut states = node.handle.watch();
    let waits = tokio::spawn(async move {
        let mut waits = Vec::new();
        while waits.len() < 4 {
            states.changed().await.unwrap();
            let State::Lost { cause, retry_in } = &*states.borrow_and_update() else { continue };
            match **cause {
                Lost::Dial { .. } => waits.push(*retry_in),
                Lost::Closed { .. } if waits.is_empty() => {}
                _ => panic!("{cause:?}"),
            }
        }
        waits
    });
    node.runtime_dies();
    drop(peer);
    let waits = within(waits).await.unwrap();
    // Back up, it is another version.
    node.runtime_is_back(patient(NriVersion::V0_12));
    comes_back(&node).await;
    assert_eq!(node.handle.state().runtime().unwrap().version.to_string(), "v2.3.4");
    // The first wait was for the connection that was closed: these are of 100 ms and on.
    for (wait, step) in waits.iter().zip([100, 200, 400, 800]) {
        let step = Duration::from_millis(step);
        assert!((step / 2..=step).contains(wait), "{waits:?}");
    }
}

/// The socket is made where there was nothing at all, or anew where there is one that nobody listens on; with waits of seconds the
/// session would sleep on.
#[tokio::test]
async fn a_socket_that_is_made_is_dialled_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("run/nri/nri.sock");
    let session = session(Recorder::default(), Launch::External { socket: socket.clone() });
    tokio::spawn(session.run());
    tokio::time::sleep(Duration::from_millis(3500)).await;
    std::fs::create_dir(folder.path().join("run")).unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    std::fs::create_dir(folder.path().join("run/nri")).unwrap();
    let first = accepted(&socket).await;
    // Gone with its folder, and after waits of seconds again there.
    std::fs::remove_dir_all(folder.path().join("run")).unwrap();
    tokio::time::sleep(Duration::from_millis(3500)).await;
    std::fs::create_dir_all(folder.path().join("run/nri")).unwrap();
    let second = accepted(&socket).await;
    // Dead, with its socket in place.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    let third = accepted(&socket).await;
    // On a busy machine one of them may be late.
    let soonest = first.min(second).min(third);
    assert!(soonest < Duration::from_millis(100), "{first:?} {second:?} {third:?}");
    for took in [first, second, third] {
        assert!(took < Duration::from_millis(500), "{first:?} {second:?} {third:?}");
    }
}

/// How long a runtime that begins to listen waits for the plugin; it ends then.
async fn accepted(socket: &std::path::Path) -> Duration {
    let runtime = FakeRuntime::listen(socket, patient(NriVersion::V0_8)).unwrap();
    let began = tokio::time::Instant::now();
    within(runtime.accept()).await.unwrap();
    began.elapsed()
}

#[tokio::test]
async fn a_launched_plugin_ends_with_its_connection() {
    let (peer, trunk) = FakeRuntime::launch(patient(NriVersion::V0_8)).unwrap();
    let plugin = Recorder::of(&[Event::RunPodSandbox]);
    let session = session(plugin, Launch::Inherited { trunk, identity: None });
    let handle = session.handle();
    drop(peer);
    let lost = within(session.run()).await.unwrap_err();
    assert!(matches!(lost, Lost::Closed { during: Phase::Registering }), "{lost:?}");
    assert!(matches!(handle.state(), State::Stopped));
}

#[tokio::test]
async fn stops_while_it_dials() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock");
    let session = session(Recorder::default(), Launch::External { socket });
    let handle = session.handle();
    let running = tokio::spawn(session.run());
    tokio::time::sleep(Duration::from_millis(100)).await;
    handle.stop();
    within(running).await.unwrap().unwrap();
    assert!(matches!(handle.state(), State::Stopped));
}

#[tokio::test]
async fn stops_after_the_answers_under_way() {
    let plugin =
        Recorder::of(&[Event::RunPodSandbox]).taking("RunPodSandbox", Duration::from_secs(1));
    let node = Node::with(plugin.clone(), patient(NriVersion::V0_12));
    let mut peer = node.serving().await;
    let event = tokio::spawn(async move {
        let outcome = peer.pod_event(Event::RunPodSandbox, &pod("p")).await;
        (outcome, peer)
    });
    plugin.sees("RunPodSandbox p 10.0.0.7").await;
    node.handle.stop();
    within(node.running).await.unwrap().unwrap();
    let (outcome, mut peer) = within(event).await.unwrap();
    assert_eq!(outcome, Outcome::Answered(()));
    assert!(within(peer.closed()).await.is_none());
}
