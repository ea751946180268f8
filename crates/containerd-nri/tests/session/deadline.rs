//! Handlers that take their time, refuse or panic: the runtime always has its answer in time. And a runtime that takes its time.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use containerd_nri::fake::{NriVersion, Outcome, Peer, Profile};
use containerd_nri::{Event, FailurePolicy, Launch};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::recorder::{Node, Recorder, container, pod, session, within};

const FAILED_PRECONDITION: i32 = 9;
const ABORTED: i32 = 10;
const INTERNAL: i32 = 13;

/// Waits 600 ms, so a handler has 200 ms.
fn impatient(nri: NriVersion) -> Profile {
    Profile::of(nri).with_request_timeout(Duration::from_millis(600))
}

/// Begins to serve; from here on time passes only while all wait for it, so that a busy machine makes no answer late.
async fn serving(node: &Node) -> Peer {
    let peer = node.serving().await;
    tokio::time::pause();
    peer
}

#[tokio::test]
async fn a_slow_handler_is_answered_for_and_goes_on() {
    let plugin =
        Recorder::of(&[Event::RunPodSandbox, Event::CreateContainer, Event::StopPodSandbox])
            .taking("RunPodSandbox", Duration::from_millis(900));
    let node = Node::with(plugin.clone(), impatient(NriVersion::V0_12));
    let mut peer = serving(&node).await;
    let began = Instant::now();
    let outcome = peer.pod_event(Event::RunPodSandbox, &pod("p")).await;
    let took = began.elapsed();
    assert_eq!(outcome, Outcome::Refused { code: ABORTED, reason: "late".to_owned() });
    assert!(took >= Duration::from_millis(200) && took < Duration::from_millis(450), "{took:?}");
    // The connection lives, and the next event is handled meanwhile.
    let outcome = peer.create_container(&pod("p"), &container("c")).await;
    assert!(outcome.answer().is_some());
    assert!(!plugin.seen().iter().any(|seen| seen.ends_with("ended")));
    plugin.sees("RunPodSandbox p 10.0.0.7 ended").await;
    assert!(plugin.seen().contains(&"late RunPodSandbox of pod p".to_owned()));
    assert!(node.handle.state().is_serving());
}

#[tokio::test]
async fn a_late_call_can_be_accepted() {
    let mut plugin = Recorder::of(&[Event::CreateContainer, Event::StopContainer])
        .taking("CreateContainer", Duration::from_millis(900))
        .taking("StopContainer", Duration::from_millis(900));
    plugin.accepts_late = true;
    let node = Node::with(plugin.clone(), impatient(NriVersion::V0_8));
    let mut peer = serving(&node).await;
    let creation = peer.create_container(&pod("p"), &container("c")).await.answer().unwrap();
    assert_eq!(creation, containerd_nri::Creation::default());
    let freed = peer.stop_container(&pod("p"), &container("c")).await;
    assert_eq!(freed, Outcome::Answered(Vec::new()));
    plugin.sees("CreateContainer p c ended").await;
    assert!(plugin.seen().contains(&"late CreateContainer of container c of pod p".to_owned()));
}

#[tokio::test]
async fn a_late_synchronization_does_not_keep_the_plugin_from_serving() {
    let mut plugin = Recorder::of(&[Event::RunPodSandbox])
        .taking("Synchronize", Duration::from_millis(900))
        .taking("Configure", Duration::from_millis(900));
    plugin.accepts_late = true;
    let node = Node::with(plugin.clone(), impatient(NriVersion::V0_8));
    let mut peer = node.serving().await;
    assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod("p")).await, Outcome::Answered(()));
    plugin.sees("Synchronize 0 0 ended").await;
    plugin.sees("Configure containerd ended").await;
}

#[tokio::test]
async fn an_old_runtime_tells_no_timeout_and_its_calls_still_have_one() {
    // Two seconds are assumed; the call itself says 600 ms.
    let plugin =
        Recorder::of(&[Event::RunPodSandbox]).taking("RunPodSandbox", Duration::from_millis(900));
    let node = Node::with(plugin.clone(), impatient(NriVersion::V0_6));
    let mut peer = serving(&node).await;
    let outcome = peer.pod_event(Event::RunPodSandbox, &pod("p")).await;
    assert_eq!(outcome.refusal(), Some("late"));
}

#[tokio::test]
async fn a_raised_timeout_counts_also_where_it_is_not_told() {
    let plugin = Recorder::of(&[Event::RunPodSandbox])
        .taking("RunPodSandbox", Duration::from_millis(1900))
        .taking("Configure", Duration::from_millis(1900));
    let raised = Profile::of(NriVersion::V0_6).with_request_timeout(Duration::from_secs(10));
    let node = Node::with(plugin.clone(), raised);
    let mut peer = node.serving().await;
    let outcome = peer.pod_event(Event::RunPodSandbox, &pod("p")).await;
    assert_eq!(outcome, Outcome::Answered(()));
    assert!(!plugin.seen().iter().any(|seen| seen.starts_with("late")), "{:?}", plugin.seen());
    // It is what a handler plans with, too.
    let told = plugin.runtime.lock().unwrap().clone().unwrap();
    assert!(told.budget().time() > Duration::from_secs(6), "{told:?}");
}

#[tokio::test]
async fn a_panic_instead_of_a_late_answer_refuses_and_the_connection_lives() {
    let mut plugin = Recorder::of(&[Event::RunPodSandbox, Event::StopPodSandbox])
        .taking("RunPodSandbox", Duration::from_millis(900));
    plugin.panics_late = true;
    let node = Node::with(plugin, impatient(NriVersion::V0_8));
    let mut peer = serving(&node).await;
    match peer.pod_event(Event::RunPodSandbox, &pod("p")).await {
        Outcome::Refused { code, .. } => assert_eq!(code, INTERNAL),
        other => panic!("{other:?}"),
    }
    assert_eq!(peer.pod_event(Event::StopPodSandbox, &pod("p")).await, Outcome::Answered(()));
    assert!(node.handle.state().is_serving());
}

#[tokio::test]
async fn a_refusal_reaches_the_runtime_in_the_plugins_words() {
    for nri in [NriVersion::V0_3, NriVersion::V0_12] {
        let mut plugin = Recorder::of(&[Event::RunPodSandbox]);
        plugin.refuses = Some("RunPodSandbox");
        let node = Node::with(plugin, Profile::of(nri));
        let mut peer = serving(&node).await;
        let reason = "RunPodSandbox is refused".to_owned();
        let outcome = peer.pod_event(Event::RunPodSandbox, &pod("p")).await;
        assert_eq!(outcome, Outcome::Refused { code: FAILED_PRECONDITION, reason });
        assert!(node.handle.state().is_serving());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_handler_that_panics_refuses_and_the_connection_lives() {
    let mut plugin = Recorder::of(&[Event::RunPodSandbox, Event::StopPodSandbox]);
    plugin.panics = Some("RunPodSandbox");
    let node = Node::with(plugin, Profile::of(NriVersion::V0_8));
    let mut peer = serving(&node).await;
    match peer.pod_event(Event::RunPodSandbox, &pod("p")).await {
        Outcome::Refused { code, .. } => assert_eq!(code, INTERNAL),
        other => panic!("{other:?}"),
    }
    assert_eq!(peer.pod_event(Event::StopPodSandbox, &pod("p")).await, Outcome::Answered(()));
    assert!(node.handle.state().is_serving());
}

#[tokio::test]
async fn an_event_of_nothing_is_refused_before_it_reaches_the_plugin() {
    let plugin = Recorder::of(&[Event::RunPodSandbox, Event::CreateContainer]);
    let node = Node::with(plugin.clone(), Profile::of(NriVersion::V0_8));
    let mut peer = serving(&node).await;
    let outcome = within(peer.pod_event(Event::RunPodSandbox, &pod(""))).await;
    assert!(outcome.refusal().is_some());
    let outcome = within(peer.create_container(&pod("p"), &container(""))).await;
    assert!(outcome.refusal().is_some());
    assert_eq!(plugin.seen().len(), 2, "{:?}", plugin.seen());
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn a_runtime_that_does_not_tell_what_exists_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let node = Node::with(Recorder::of(&[]), Profile::of(NriVersion::V0_8));
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    within(peer.configure()).await.unwrap();
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(log.text(), "");
    tokio::time::sleep(Duration::from_secs(2)).await;
    tokio::time::resume();
    let text = log.text();
    assert!(text.contains("restart the runtime") && text.contains("waited=10s"), "{text}");
}

/// A plugin whose answers reach the runtime only while the door is open, as one that is stopped has none.
async fn behind_a_door(plugin: Recorder, profile: Profile) -> (Peer, watch::Sender<bool>) {
    let (ours, inside) = duplex(1 << 16);
    let (outside, theirs) = duplex(1 << 16);
    let (mut answers, mut calls_in) = split(inside);
    let (mut calls, mut answers_out) = split(outside);
    let door = watch::Sender::new(true);
    let mut open = door.subscribe();
    tokio::spawn(session(plugin, Launch::External { socket: "/nowhere".into() }).run_over(ours));
    tokio::spawn(async move { tokio::io::copy(&mut calls, &mut calls_in).await });
    tokio::spawn(async move {
        let mut bytes = [0; 4096];
        loop {
            let got = answers.read(&mut bytes).await.unwrap();
            let _ = open.wait_for(|open| *open).await;
            if got == 0 || answers_out.write_all(&bytes[..got]).await.is_err() {
                return;
            }
        }
    });
    let mut peer = Peer::over(theirs, profile);
    within(peer.introduce(&[], &[])).await.unwrap();
    tokio::time::pause();
    (peer, door)
}

#[tokio::test]
async fn what_comes_of_no_answer_is_what_the_plugin_asked_for() {
    let policies = [FailurePolicy::OPEN, FailurePolicy::FAIL_ONCE, FailurePolicy::CLOSED];
    for nri in [NriVersion::V0_12, NriVersion::V0_12_4] {
        for policy in policies {
            let plugin = Recorder { policy, ..Recorder::of(&[Event::RunPodSandbox]) };
            let (mut peer, door) = behind_a_door(plugin, impatient(nri)).await;
            door.send_replace(false);
            let outcome = peer.pod_event(Event::RunPodSandbox, &pod("p")).await;
            let fails = policy.fail_request && nri == NriVersion::V0_12_4;
            let expected = if fails { Outcome::FailedClosed } else { Outcome::FailedOpen };
            assert_eq!(outcome, expected, "{nri:?} {policy:?}");
            door.send_replace(true);
            tokio::time::resume();
            let stays = policy.keep_connected && nri == NriVersion::V0_12_4;
            let again = peer.pod_event(Event::RunPodSandbox, &pod("again")).await;
            assert_eq!(again == Outcome::Answered(()), stays, "{nri:?} {policy:?}: {again:?}");
        }
    }
}
