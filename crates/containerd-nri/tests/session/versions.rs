//! The matrix: every version of NRI, dialed and launched, through a pod's whole life.

use std::slice::from_ref;
use std::time::Duration;

use containerd_nri::fake::{FakeRuntime, NriVersion, Outcome, Peer, Profile};
use containerd_nri::{ContainerAdjustment, Event, EventSet, Launch, PodUpdate};

use crate::recorder::{
    LONG, Node, Recorder, container, patient, pod, session, shares, update, within,
};

#[tokio::test]
async fn every_version_dialed() {
    for &nri in NriVersion::ALL {
        let plugin = Recorder::of(Event::ALL);
        let node = Node::with(plugin.clone(), patient(nri));
        let mut peer = node.peer().await;
        let registration = within(peer.register()).await.unwrap();
        assert_eq!((registration.name.as_str(), registration.index.as_str()), ("recorder", "10"));
        registration.accept();
        live(&mut peer, &plugin, nri).await;
        node.handle.stop();
        within(node.running).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn every_version_launched() {
    for &nri in NriVersion::ALL {
        let plugin = Recorder::of(Event::ALL);
        let (mut peer, trunk) = FakeRuntime::launch(patient(nri)).unwrap();
        let session = session(plugin.clone(), Launch::Inherited { trunk, identity: None });
        let handle = session.handle();
        let running = tokio::spawn(session.run());
        within(peer.register()).await.unwrap().accept();
        live(&mut peer, &plugin, nri).await;
        handle.stop();
        within(running).await.unwrap().unwrap();
    }
}

/// A registered plugin's life: configured, synchronized, told of a pod from start to end.
async fn live(peer: &mut Peer, plugin: &Recorder, nri: NriVersion) {
    let subscribed = within(peer.configure()).await.unwrap();
    assert_eq!(subscribed, nri.events(), "{nri:?}");
    let (pod, container) = (pod("p"), container("c"));
    let (pods, containers) = (from_ref(&pod), from_ref(&container));
    let asked = within(peer.synchronize(pods, containers)).await.unwrap();
    assert_eq!(asked, [update("c")]);

    assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod).await, Outcome::Answered(()));
    let creation = peer.create_container(&pod, &container).await.answer().unwrap();
    assert_eq!(creation.adjustment.env["SEEN"], "p");
    assert_eq!(creation.updates, [update("other")]);
    let verdict = peer.validate_container_adjustment(&pod, &container, &creation.adjustment).await;
    let judges = nri >= NriVersion::V0_10;
    assert_eq!(verdict == Outcome::Answered(()), judges, "{nri:?} {verdict:?}");
    for event in [Event::PostCreateContainer, Event::StartContainer, Event::PostStartContainer] {
        assert_eq!(peer.container_event(event, &pod, &container).await, Outcome::Answered(()));
    }
    let updated = peer.update_container(&pod, &container, &shares(3)).await;
    assert_eq!(updated.answer().unwrap(), [update("updated")]);
    let updated = peer.container_event(Event::PostUpdateContainer, &pod, &container).await;
    assert_eq!(updated, Outcome::Answered(()));
    update_pod(peer, nri).await;
    let freed = peer.stop_container(&pod, &container).await;
    assert_eq!(freed.answer().unwrap(), [update("freed")]);
    let removed = peer.container_event(Event::RemoveContainer, &pod, &container).await;
    assert_eq!(removed, Outcome::Answered(()));
    for event in [Event::StopPodSandbox, Event::RemovePodSandbox] {
        assert_eq!(peer.pod_event(event, &pod).await, Outcome::Answered(()));
    }
    assert_eq!(peer.uses_state_change(), nri < NriVersion::V0_12);
    assert!(peer.shutdown().await);
    plugin.sees("Shutdown").await;
    assert_eq!(plugin.seen(), expected(nri), "{nri:?}");
    check_what_was_told(plugin, nri);
}

async fn update_pod(peer: &mut Peer, nri: NriVersion) {
    let mut update = PodUpdate::default();
    update.resources = shares(5);
    let updating = peer.update_pod_sandbox(&pod("p"), &update).await;
    let updated = peer.pod_event(Event::PostUpdatePodSandbox, &pod("p")).await;
    if nri >= NriVersion::V0_10 {
        assert_eq!((updating, updated), (Outcome::Answered(()), Outcome::Answered(())));
    } else {
        assert_eq!((updating, updated), (Outcome::NotSubscribed, Outcome::NotSubscribed));
    }
}

fn expected(nri: NriVersion) -> Vec<String> {
    let name = Profile::of(nri).name;
    let ip = if nri >= NriVersion::V0_8 { "10.0.0.7" } else { "" };
    let mut expected = vec![
        format!("Configure {name}"),
        "Synchronize 1 1".to_owned(),
        format!("RunPodSandbox p {ip}"),
        "CreateContainer p c".to_owned(),
    ];
    if nri >= NriVersion::V0_10 {
        expected.push("ValidateContainerAdjustment c 1".to_owned());
    }
    let begun = [
        "PostCreateContainer c".to_owned(),
        "StartContainer c".to_owned(),
        "PostStartContainer c".to_owned(),
        "UpdateContainer c 3".to_owned(),
        "PostUpdateContainer c".to_owned(),
    ];
    expected.extend(begun);
    if nri >= NriVersion::V0_10 {
        expected.push("UpdatePodSandbox p 5".to_owned());
        expected.push("PostUpdatePodSandbox p".to_owned());
    }
    expected.extend(["StopContainer c", "RemoveContainer c"].map(str::to_owned));
    expected.extend(["StopPodSandbox p", "RemovePodSandbox p", "Shutdown"].map(str::to_owned));
    expected
}

fn check_what_was_told(plugin: &Recorder, nri: NriVersion) {
    let runtime = plugin.runtime.lock().unwrap().clone().unwrap();
    assert_eq!(runtime.version.to_string(), Profile::of(nri).version);
    assert_eq!(runtime.nri_version.is_some(), nri >= NriVersion::V0_12);
    // Not told, this one is assumed; the other is what the call itself says.
    let registration = if nri.tells_timeouts() { LONG } else { Duration::from_secs(5) };
    assert_eq!((runtime.registration_timeout, runtime.request_timeout), (registration, LONG));
}

#[tokio::test]
async fn a_judge_says_no_and_the_runtime_hears_why() {
    let mut plugin = Recorder::of(&[Event::ValidateContainerAdjustment]);
    plugin.refuses = Some("ValidateContainerAdjustment");
    let node = Node::with(plugin, patient(NriVersion::V0_12));
    let mut peer = node.serving().await;
    let asked = ContainerAdjustment::default();
    let verdict = peer.validate_container_adjustment(&pod("p"), &container("c"), &asked).await;
    assert_eq!(verdict.refusal(), Some("ValidateContainerAdjustment is refused"));
}

#[tokio::test]
async fn a_plugin_may_choose_its_events_by_its_configuration() {
    let plugin = Recorder { chooses: Some(Event::RunPodSandbox), ..Recorder::default() };
    let node = Node::with(plugin, patient(NriVersion::V0_8));
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    let subscribed = within(peer.configure()).await.unwrap();
    assert_eq!(subscribed, EventSet::from(Event::RunPodSandbox));
    within(peer.synchronize(&[], &[])).await.unwrap();
    let runtime = within(node.handle.serving()).await.unwrap();
    assert_eq!(runtime.subscribed, subscribed);
}

#[tokio::test]
async fn a_plugin_gets_only_what_it_asked_for() {
    for &nri in NriVersion::ALL {
        let plugin = Recorder::of(&[Event::RunPodSandbox, Event::StopContainer]);
        let node = Node::with(plugin.clone(), patient(nri));
        let mut peer = node.peer().await;
        within(peer.register()).await.unwrap().accept();
        let subscribed = within(peer.configure()).await.unwrap();
        assert_eq!(subscribed, EventSet::of(&[Event::RunPodSandbox, Event::StopContainer]));
    }
}

#[tokio::test]
async fn a_plugin_that_wants_no_event_gets_none() {
    let plugin = Recorder::default();
    let node = Node::with(plugin.clone(), patient(NriVersion::V0_12));
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    let subscribed = within(peer.configure()).await.unwrap();
    assert_eq!(subscribed.iter().count(), 1, "{subscribed:?}");
    within(peer.synchronize(&[], &[])).await.unwrap();
    for event in subscribed.iter() {
        let outcome = peer.container_event(event, &pod("p"), &container("c")).await;
        assert_eq!(outcome, Outcome::Answered(()));
    }
    assert_eq!(plugin.seen(), ["Configure containerd", "Synchronize 0 0"]);
}

#[tokio::test]
async fn an_unknown_runtime_is_asked_for_old_events_only() {
    let mut profile = Profile::of(NriVersion::V0_3);
    (profile.name, profile.version) = ("homemade".to_owned(), "devel".to_owned());
    let node = Node::with(Recorder::of(Event::ALL), profile);
    node.serving().await;
}

#[tokio::test]
async fn any_stream_of_bytes_is_a_connection() {
    let plugin = Recorder::of(Event::ALL);
    let (ours, theirs) = tokio::io::duplex(100);
    let mut peer = Peer::over(theirs, patient(NriVersion::V0_12));
    let socket = "/nowhere".into();
    let session = session(plugin.clone(), Launch::External { socket });
    let handle = session.handle();
    let running = tokio::spawn(session.run_over(ours));
    within(peer.register()).await.unwrap().accept();
    live(&mut peer, &plugin, NriVersion::V0_12).await;
    handle.stop();
    within(running).await.unwrap().unwrap();
}
