//! Calls by the plugin: updates of containers between events.

use containerd_nri::fake::NriVersion;
use containerd_nri::{CallError, Event, Lost};

use crate::recorder::{Node, Recorder, patient, update, within};

fn node() -> Node {
    Node::with(Recorder::of(&[Event::RunPodSandbox]), patient(NriVersion::V0_8))
}

#[tokio::test]
async fn updates_reach_the_runtime() {
    let node = node();
    let mut peer = node.serving().await;
    let failed = node.handle.update_containers(vec![update("c")]).await.unwrap();
    assert_eq!(failed, []);
    assert_eq!(within(peer.next_update()).await.unwrap(), [update("c")]);
}

#[tokio::test]
async fn no_update_without_a_synchronized_connection() {
    let node = node();
    let call = |node: &Node| {
        let handle = node.handle.clone();
        async move { handle.update_containers(Vec::new()).await }
    };
    assert_eq!(call(&node).await, Err(CallError::NotServing));
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    assert_eq!(call(&node).await, Err(CallError::NotServing));
    drop(peer);
    node.lost().await;
    let peer = node.serving().await;
    assert_eq!(call(&node).await, Ok(Vec::new()));
    drop(peer);
    node.lost().await;
    assert_eq!(call(&node).await, Err(CallError::NotServing));
}

#[tokio::test]
async fn an_update_too_long_for_the_runtime_is_not_sent() {
    let node = node();
    let _peer = node.serving().await;
    let updates = vec![update(&"x".repeat(1_100_000))];
    let error = node.handle.update_containers(updates).await.unwrap_err();
    assert!(matches!(error, CallError::TooLong { .. }), "{error}");
    assert!(node.handle.state().is_serving());
}

#[tokio::test]
async fn an_answer_that_is_none_ends_the_session() {
    let node = node();
    let peer = node.serving().await;
    // The fake holds the last answer back as long as nobody takes the updates.
    for _ in 0..64 {
        node.handle.update_containers(vec![update("c")]).await.unwrap();
    }
    let handle = node.handle.clone();
    let call = tokio::spawn(async move { handle.update_containers(Vec::new()).await });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let stream: u32 = 1 + 2 * 65;
    let mut frame = [0, 0, 0, 2, 0, 0, 0, 14, 0, 0, 0, 4].to_vec();
    frame.extend(stream.to_be_bytes());
    frame.extend([2, 0, 0xff, 0xff, 0xff, 0xff]);
    peer.send_raw(&frame).await;
    let error = within(call).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Undecodable { .. }), "{error}");
    assert!(matches!(*node.lost().await, Lost::Answer { .. }));
    drop(peer);
    node.serving().await;
}
