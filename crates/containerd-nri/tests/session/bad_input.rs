//! Nonsense from the runtime's side: each kind ends the session with its own error, and the
//! session comes back.

use containerd_nri::fake::{NriVersion, Outcome, Peer};
use containerd_nri::{Event, Lost, Violation};
use protobuf::Message;
use ttrpc::Request;

use crate::recorder::{Node, Recorder, patient, pod, within};

fn frame(id: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn header(id: u32, length: u32) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(length.to_be_bytes());
    bytes
}

fn message(length: u32, stream: u32, kind: u8) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(stream.to_be_bytes());
    bytes.extend([kind, 0]);
    bytes
}

pub(crate) fn request(payload: &[u8]) -> Vec<u8> {
    let mut bytes = message(u32::try_from(payload.len()).unwrap(), 101, 1);
    bytes.extend(payload);
    frame(1, &bytes)
}

fn call(method: &str, payload: &[u8]) -> Vec<u8> {
    let mut call = Request::new();
    "nri.pkg.api.v1alpha1.Plugin".clone_into(&mut call.service);
    method.clone_into(&mut call.method);
    call.payload = payload.to_vec();
    request(&call.write_to_bytes().unwrap())
}

type Check = fn(&Violation) -> bool;

fn nonsense() -> Vec<(&'static str, Vec<u8>, Check)> {
    use Violation as V;
    const BAD: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff];
    // A field whose length is far beyond the message.
    const LIE: &[u8] = &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x07, 1, 2, 3];
    const NOT_UTF8: &[u8] = &[0x0a, 2, 0xc3, 0x28];
    let is_payload: Check = |v| matches!(v, V::Payload { .. });
    vec![
        ("a page", b"GET / HTTP/1.1\r\n".to_vec(), |v| matches!(v, V::LongFrame { .. })),
        ("empty frame", header(1, 0), |v| matches!(v, V::EmptyFrame { id: 1 })),
        ("frame of 4 GiB", header(2, u32::MAX), |v| matches!(v, V::LongFrame { .. })),
        ("frame of 4 MiB and 11", header(1, (4 << 20) + 11), |v| matches!(v, V::LongFrame { .. })),
        ("message of 4 GiB", frame(1, &message(u32::MAX, 1, 1)), |v| {
            matches!(v, V::LongMessage { length: u32::MAX, .. })
        }),
        ("answer of 4 GiB", frame(2, &message(u32::MAX, 1, 2)), |v| {
            matches!(v, V::LongMessage { .. })
        }),
        ("stream data", frame(1, &message(0, 1, 3)), |v| {
            matches!(v, V::MessageKind { kind: 3, .. })
        }),
        ("request on 2", frame(2, &message(0, 1, 1)), |v| {
            matches!(v, V::MessageKind { id: 2, .. })
        }),
        ("even stream", frame(1, &message(0, 2, 1)), |v| matches!(v, V::EvenStream { stream: 2 })),
        ("bad request", request(BAD), |v| matches!(v, V::Request(_))),
        ("lying request", request(LIE), |v| matches!(v, V::Request(_))),
        ("request not in UTF-8", request(NOT_UTF8), |v| matches!(v, V::Request(_))),
        ("bad configuration", call("Configure", BAD), is_payload),
        ("bad synchronization", call("Synchronize", LIE), is_payload),
        ("bad change", call("StateChange", BAD), is_payload),
        ("bad pod", call("RunPodSandbox", LIE), is_payload),
        ("bad container", call("CreateContainer", NOT_UTF8), is_payload),
        ("bad update", call("UpdateContainer", BAD), is_payload),
        ("bad pod update", call("UpdatePodSandbox", BAD), is_payload),
    ]
}

fn node() -> (Node, Recorder) {
    let plugin = Recorder::of(&[Event::RunPodSandbox]);
    (Node::with(plugin.clone(), patient(NriVersion::V0_8)), plugin)
}

/// The plugin hangs up, the runtime did nothing to that end.
async fn ends(node: &Node, mut peer: Peer, name: &str, expected: Check) {
    assert!(within(peer.closed()).await.is_none(), "{name}");
    match &*node.lost().await {
        Lost::Protocol(violation) => assert!(expected(violation), "{name}: {violation:?}"),
        other => panic!("{name}: {other:?}"),
    }
    let mut peer = node.serving().await;
    let outcome = within(peer.pod_event(Event::RunPodSandbox, &pod("p"))).await;
    assert_eq!(outcome, Outcome::Answered(()), "{name}");
}

#[tokio::test]
async fn a_frame_for_a_connection_that_is_unknown_is_skipped() {
    let (node, _) = node();
    let mut peer = node.serving().await;
    for id in [0, 3, u32::MAX] {
        peer.send_raw(&frame(id, b"for somebody else")).await;
    }
    let outcome = within(peer.pod_event(Event::RunPodSandbox, &pod("p"))).await;
    assert_eq!(outcome, Outcome::Answered(()));
    assert!(node.handle.state().is_serving());
}

#[tokio::test]
async fn nonsense_to_a_serving_plugin_ends_the_session_and_it_comes_back() {
    for (name, bytes, expected) in nonsense() {
        let (node, _) = node();
        let peer = node.serving().await;
        peer.send_raw(&bytes).await;
        ends(&node, peer, name, expected).await;
    }
}

#[tokio::test]
async fn nonsense_instead_of_a_handshake_ends_the_session_and_it_comes_back() {
    for (name, bytes, expected) in nonsense() {
        let (node, _) = node();
        let peer = node.peer().await;
        peer.send_raw(&bytes).await;
        ends(&node, peer, name, expected).await;
    }
}

#[tokio::test]
async fn a_message_cut_off_ends_the_session() {
    let (node, _) = node();
    let mut peer = node.serving().await;
    peer.send_raw(&call("RunPodSandbox", b"")[..20]).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    peer.close();
    assert!(matches!(*node.lost().await, Lost::Protocol(Violation::CutFrame)));
    node.serving().await;
}

#[tokio::test]
async fn unknown_fields_methods_and_events_are_borne() {
    let (node, plugin) = node();
    let mut peer = node.serving().await;
    // Event 99 of an unnamed pod; field 1000 of a request; a method of the future.
    peer.send_raw(&call("StateChange", &[0x08, 99])).await;
    peer.send_raw(&call("StateChange", &[0xc2, 0x3e, 1, 0])).await;
    peer.send_raw(&call("ValidateSomethingElse", b"\xff")).await;
    peer.send_raw(&call("FlyToTheMoon", b"")).await;
    assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod("p")).await, Outcome::Answered(()));
    assert!(node.handle.state().is_serving());
    assert_eq!(plugin.seen().len(), 3, "{:?}", plugin.seen());
}

#[tokio::test]
async fn an_endless_synchronization_ends_the_session() {
    let (node, _) = node();
    let mut peer = node.peer().await;
    within(peer.register()).await.unwrap().accept();
    within(peer.configure()).await.unwrap();
    let mut long = pod("p");
    long.annotations.insert("long".to_owned(), "x".repeat(4_000_000));
    let parts = [long];
    while within(peer.synchronize_part(&parts, &[])).await.is_ok() {}
    let lost = node.lost().await;
    let expected = matches!(*lost, Lost::Protocol(Violation::LongSynchronization { .. }));
    assert!(expected, "{lost:?}");
}
