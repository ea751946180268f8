//! The fake runtime against plugins written byte by byte, which do what the crate's own never
//! does: the limits of a real runtime must hold.

use std::time::Duration;

use protobuf::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;
use ttrpc::{Code, Request};

use super::*;
use crate::answer::{Answer, Status};
use crate::event::Event;
use crate::event_set::EventSet;
use crate::pod::PodSandbox;
use crate::reply;
use crate::wire::nri as wire;

/// A plugin that is nothing but a trunk.
struct RawPlugin {
    trunk: DuplexStream,
}

impl RawPlugin {
    fn beside(nri: NriVersion) -> (Peer, Self) {
        let (ours, trunk) = duplex(1 << 20);
        let profile = Profile::of(nri).with_request_timeout(Duration::from_millis(200));
        (Peer::over(ours, profile), Self { trunk })
    }

    async fn send(&mut self, id: u32, payload: &[u8]) {
        self.trunk.write_u32(id).await.unwrap();
        self.trunk.write_u32(payload.len().try_into().unwrap()).await.unwrap();
        self.trunk.write_all(payload).await.unwrap();
    }

    /// The next call: its stream, method and payload.
    async fn call(&mut self) -> (u32, String, Vec<u8>) {
        let mut bytes = Vec::new();
        loop {
            let id = self.trunk.read_u32().await.unwrap();
            let mut frame = vec![0; self.trunk.read_u32().await.unwrap().try_into().unwrap()];
            self.trunk.read_exact(&mut frame).await.unwrap();
            if id == 1 {
                bytes.extend(frame);
            }
            if bytes.len() >= 10 {
                let header = ttrpc::MessageHeader::from(&bytes[..10]);
                if bytes.len() == 10 + usize::try_from(header.length).unwrap() {
                    let request = Request::parse_from_bytes(&bytes[10..]).unwrap();
                    return (header.stream_id, request.method, request.payload);
                }
            }
        }
    }

    async fn answer(&mut self, stream: u32, answer: Answer) {
        self.send(1, &reply::encode(stream, answer)).await;
    }

    /// Answers the next call, which must be of this method.
    async fn answers(&mut self, method: &str, answer: Answer) {
        let (stream, called, _) = soon(self.call()).await;
        assert_eq!(called, method);
        self.answer(stream, answer).await;
    }
}

fn events(bits: i32) -> Vec<u8> {
    let response = wire::ConfigureResponse { events: bits, ..Default::default() };
    response.write_to_bytes().unwrap()
}

/// Waits, but not for ever.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(5), future).await.expect("it takes too long")
}

fn pod() -> PodSandbox {
    PodSandbox { id: "p".to_owned(), ..PodSandbox::default() }
}

async fn configured(nri: NriVersion, bits: i32) -> (Peer, RawPlugin, Result<EventSet, PeerError>) {
    let (mut peer, mut plugin) = RawPlugin::beside(nri);
    let (subscribed, ()) =
        tokio::join!(peer.configure(), plugin.answers("Configure", Ok(events(bits))));
    (peer, plugin, subscribed)
}

#[tokio::test]
async fn cannot_read_a_frame_of_more_than_4096_bytes() {
    let (mut peer, mut plugin) = RawPlugin::beside(NriVersion::V0_8);
    plugin.send(1, &[0; 4096]).await;
    assert!(timeout(Duration::from_millis(50), peer.closed()).await.is_err());
    assert_eq!(peer.longest_frame(), 4096);
    plugin.send(1, &[0; 4097]).await;
    assert_eq!(soon(peer.closed()).await, Some(Breakage::LongFrame { length: 4097 }));
}

#[tokio::test]
async fn cannot_read_an_empty_frame() {
    let (mut peer, mut plugin) = RawPlugin::beside(NriVersion::V0_8);
    plugin.send(2, &[]).await;
    assert_eq!(soon(peer.closed()).await, Some(Breakage::EmptyFrame));
}

#[tokio::test]
async fn skips_frames_of_unknown_connections() {
    let (mut peer, mut plugin) = RawPlugin::beside(NriVersion::V0_8);
    plugin.send(3, &[0; 10]).await;
    assert!(timeout(Duration::from_millis(50), peer.closed()).await.is_err());
}

#[tokio::test]
async fn knows_only_the_events_of_its_version() {
    let late = EventSet::of(&[Event::UpdatePodSandbox, Event::PostUpdatePodSandbox]).subscription();
    for &nri in NriVersion::ALL {
        let (mut peer, _plugin, subscribed) = configured(nri, late).await;
        if nri >= NriVersion::V0_10 {
            assert_eq!(subscribed.unwrap().subscription(), late);
        } else {
            assert!(matches!(subscribed, Err(PeerError::InvalidEvents { bits }) if bits == late));
            assert_eq!(soon(peer.closed()).await, None);
        }
        let (_peer, _plugin, subscribed) = configured(nri, 1 << 14).await;
        assert!(matches!(subscribed, Err(PeerError::InvalidEvents { .. })));
    }
}

#[tokio::test]
async fn takes_no_bits_for_every_event() {
    for &nri in NriVersion::ALL {
        let (_peer, _plugin, subscribed) = configured(nri, 0).await;
        assert_eq!(subscribed.unwrap(), nri.events());
    }
}

#[tokio::test]
async fn falls_back_to_state_change_once_a_dedicated_call_is_unimplemented() {
    let (mut peer, mut plugin, _) = configured(NriVersion::V0_12, 0).await;
    let unimplemented = Status::new(Code::UNIMPLEMENTED, "what?");
    let plugin_side = async {
        plugin.answers("RunPodSandbox", Err(unimplemented)).await;
        let (stream, method, payload) = soon(plugin.call()).await;
        assert_eq!(method, "StateChange");
        let change = wire::StateChangeEvent::parse_from_bytes(&payload).unwrap();
        assert_eq!((change.event, change.pod.id.as_str()), (1, "p"));
        plugin.answer(stream, Ok(Vec::new())).await;
    };
    let pod = pod();
    let (outcome, ()) = tokio::join!(peer.pod_event(Event::RunPodSandbox, &pod), plugin_side);
    assert_eq!(outcome, Outcome::Answered(()));
    let stop = peer.pod_event(Event::StopPodSandbox, &pod);
    let (outcome, ()) = tokio::join!(stop, plugin.answers("StateChange", Ok(Vec::new())));
    assert_eq!(outcome, Outcome::Answered(()));
}

#[tokio::test]
async fn uses_state_change_only_before_0_12() {
    for &nri in NriVersion::ALL {
        let (mut peer, mut plugin, _) = configured(nri, 0).await;
        let method = if nri >= NriVersion::V0_12 { "RemovePodSandbox" } else { "StateChange" };
        let pod = pod();
        let remove = peer.pod_event(Event::RemovePodSandbox, &pod);
        let (outcome, ()) = tokio::join!(remove, plugin.answers(method, Ok(Vec::new())));
        assert_eq!(outcome, Outcome::Answered(()));
    }
}

#[tokio::test]
async fn goes_on_without_a_plugin_that_is_late() {
    let (mut peer, mut plugin, _) = configured(NriVersion::V0_8, 0).await;
    assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod()).await, Outcome::FailedOpen);
    assert_eq!(soon(peer.closed()).await, None);
    let mut rest = Vec::new();
    plugin.trunk.read_to_end(&mut rest).await.unwrap();
    assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod()).await, Outcome::FailedOpen);
}

#[tokio::test]
async fn does_without_a_plugin_that_takes_a_part_for_all() {
    let (mut peer, mut plugin, _) = configured(NriVersion::V0_8, 0).await;
    let pods = [pod()];
    let parts = [(&pods[..], &[][..]), (&pods[..], &[][..])];
    let synchronize = peer.synchronize_in_parts(&parts);
    let (updates, ()) = tokio::join!(synchronize, plugin.answers("Synchronize", Ok(Vec::new())));
    assert!(matches!(updates, Err(PeerError::NoParts)), "{updates:?}");
}

#[tokio::test]
async fn waits_for_no_step_for_ever() {
    let (mut peer, _plugin) = RawPlugin::beside(NriVersion::V0_8);
    peer.profile.registration_timeout = Duration::from_millis(100);
    assert!(matches!(peer.register().await, Err(PeerError::Late { step: "registration", .. })));
    assert!(matches!(peer.configure().await, Err(PeerError::Late { step: "Configure", .. })));
}
