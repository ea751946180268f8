//! Synchronizations that come in parts or are long.

use containerd_nri::fake::NriVersion;
use containerd_nri::{Event, PodSandbox};

use crate::recorder::{Node, Recorder, container, patient, pod, update, within};

#[tokio::test]
async fn parts_are_put_together_and_acted_on_once() {
    let plugin = Recorder::of(&[Event::RunPodSandbox]);
    let node = Node::with(plugin.clone(), patient(NriVersion::V0_8));
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    within(peer.configure()).await.unwrap();
    let pods: Vec<_> = (0..10).map(|id| pod(&id.to_string())).collect();
    let containers: Vec<_> = (0..7).map(|id| container(&id.to_string())).collect();
    let parts = [
        (&pods[..4], &containers[..3]),
        (&pods[4..8], &containers[3..6]),
        (&pods[8..], &containers[6..]),
    ];
    let updates = within(peer.synchronize_in_parts(&parts)).await.unwrap();
    assert_eq!(updates, [update("0")]);
    assert_eq!(plugin.seen()[1..], ["Synchronize 10 7"]);
    within(node.handle.serving()).await.unwrap();
}

#[tokio::test]
async fn a_synchronization_of_megabytes_arrives() {
    let plugin = Recorder::of(&[Event::RunPodSandbox]);
    let node = Node::with(plugin.clone(), patient(NriVersion::V0_8));
    let mut peer = node.peer().await;
    let pods: Vec<PodSandbox> = (0..3000)
        .map(|id| {
            let mut pod = pod(&id.to_string());
            pod.annotations.insert("long".to_owned(), "x".repeat(1000));
            pod
        })
        .collect();
    within(peer.introduce(&pods, &[])).await.unwrap();
    assert_eq!(plugin.seen()[1..], ["Synchronize 3000 0"]);
}

#[tokio::test]
async fn parts_left_over_by_a_lost_connection_are_forgotten() {
    let plugin = Recorder::of(&[Event::RunPodSandbox]);
    let node = Node::with(plugin.clone(), patient(NriVersion::V0_8));
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    within(peer.configure()).await.unwrap();
    within(peer.synchronize_part(&[pod("1")], &[])).await.unwrap();
    drop(peer);
    let mut peer = node.peer().await;
    within(peer.introduce(&[pod("2")], &[])).await.unwrap();
    assert_eq!(plugin.seen().last().unwrap(), "Synchronize 1 0");
}

#[tokio::test]
async fn a_long_answer_is_cut_into_frames_a_runtime_can_read() {
    let plugin = Recorder { answers: 300_000, ..Recorder::of(&[Event::CreateContainer]) };
    let node = Node::with(plugin, patient(NriVersion::V0_8));
    let mut peer = node.serving().await;
    let outcome = within(peer.create_container(&pod("p"), &container("c"))).await;
    assert_eq!(outcome.answer().unwrap().adjustment.env["LONG"].len(), 300_000);
    assert!((4000..=4096 - 8).contains(&peer.longest_frame()), "{}", peer.longest_frame());
}

#[tokio::test]
async fn an_answer_too_long_for_a_runtime_is_refused() {
    let plugin = Recorder { answers: 2_000_000, ..Recorder::of(&[Event::CreateContainer]) };
    let node = Node::with(plugin, patient(NriVersion::V0_8));
    let mut peer = node.serving().await;
    let outcome = within(peer.create_container(&pod("p"), &container("c"))).await;
    assert!(outcome.refusal().unwrap().contains("is safe"), "{outcome:?}");
}
