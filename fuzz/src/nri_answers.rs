//! What a plugin sends: answers, requests, frames, garbage, each when it likes. The crate's runtime for tests reads them, so a wrong
//! plugin fails its author's test and does nothing worse.

use std::{cell::OnceCell, fmt::Debug, time::Duration};

use containerd_nri::{
    Container, ContainerAdjustment, Event, PodSandbox, PodUpdate, Resources,
    fake::{NriVersion, OnWire, Peer, PeerError, Profile},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    runtime::{Builder, Runtime},
    time::timeout,
};

/// Room for all that either side says.
const ROOM: usize = 1 << 20;

/// More than all steps together may wait, by a clock that goes on as soon as nobody has anything to do.
const PATIENCE: Duration = Duration::from_secs(90);

/// The connections on which the runtime calls, and the plugin.
const CALLS: u32 = 1;
const REQUESTS: u32 = 2;

/// What ttrpc says that a message is.
const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;

const SERVICE: &[u8] = b"nri.pkg.api.v1alpha1.Runtime";

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

/// The first byte chooses the runtime's version. Then come acts, each a byte that says which, one of the length, and so many bytes.
pub fn read(data: &[u8]) {
    let Some((version, acts)) = data.split_first() else { return };
    let nri = NriVersion::ALL[usize::from(*version) % NriVersion::ALL.len()];
    RUNTIME.with(|runtime| {
        let made =
            || Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.get_or_init(made).block_on(async {
            let (ours, theirs) = duplex(ROOM);
            let plugin = tokio::spawn(play(acts.to_vec(), theirs));
            let talk = timeout(PATIENCE, converse(Peer::over(ours, Profile::of(nri)), nri));
            talk.await.expect("the runtime hangs");
            plugin.abort();
        });
    });
}

/// A whole conversation, whatever comes of its steps.
async fn converse(mut peer: Peer, nri: NriVersion) {
    if let Ok(registration) = peer.register().await {
        assert!(!registration.name.is_empty(), "it has no name");
        let digits = registration.index.bytes().all(|byte| byte.is_ascii_digit());
        assert!(digits && registration.index.len() == 2, "{:?}", registration.index);
        registration.accept();
    }
    match peer.configure().await {
        Ok(events) => assert_eq!(events & nri.events(), events, "{nri:?} has no such events"),
        Err(PeerError::InvalidEvents { bits }) => assert_ne!(bits, 0),
        Err(_) => {}
    }
    let pod = PodSandbox::from_bytes(b"\x0a\x01p").expect("a pod with an id");
    let container = Container::from_bytes(b"\x0a\x01c").expect("a container with an id");
    let (pods, containers) = ([pod.clone()], [container.clone()]);
    if let Ok(updates) = peer.synchronize_in_parts(&[(&pods, &[]), (&[], &containers)]).await {
        updates.iter().for_each(means_the_same_written_down_again);
    }
    events(&mut peer, &pod, &container).await;
    while let Ok(Some(updates)) = timeout(Duration::from_millis(1), peer.next_update()).await {
        updates.iter().for_each(means_the_same_written_down_again);
    }
    peer.shutdown().await;
    peer.close();
    peer.closed().await;
    let late = peer.pod_event(Event::RunPodSandbox, &pod).await;
    assert_eq!(late.answer(), None, "it answered over a connection that is closed");
}

async fn events(peer: &mut Peer, pod: &PodSandbox, container: &Container) {
    peer.pod_event(Event::RunPodSandbox, pod).await;
    if let Some(creation) = peer.create_container(pod, container).await.answer() {
        means_the_same_written_down_again(&creation.adjustment);
        creation.updates.iter().for_each(means_the_same_written_down_again);
    }
    let adjustment = ContainerAdjustment::default();
    peer.validate_container_adjustment(pod, container, &adjustment).await;
    peer.container_event(Event::StartContainer, pod, container).await;
    let resources = Resources::default();
    for updates in [
        peer.update_container(pod, container, &resources).await.answer(),
        peer.stop_container(pod, container).await.answer(),
    ] {
        updates.iter().flatten().for_each(means_the_same_written_down_again);
    }
    peer.update_pod_sandbox(pod, &PodUpdate::default()).await;
    peer.pod_event(Event::StopPodSandbox, pod).await;
}

fn means_the_same_written_down_again<T: OnWire + PartialEq + Debug>(value: &T) {
    assert_eq!(T::from_bytes(&value.to_bytes()).as_ref(), Some(value));
}

/// Does the acts one after the other, and goes.
async fn play(acts: Vec<u8>, mut trunk: DuplexStream) -> Option<()> {
    let (mut rest, mut calls, mut own) = (&acts[..], Vec::new(), 1);
    while let [act, length, more @ ..] = rest {
        let (bytes, next) = more.split_at(more.len().min(usize::from(*length)));
        rest = next;
        match act % 7 {
            0 => {
                let stream = call(&mut trunk, &mut calls).await?;
                send(&mut trunk, CALLS, &message(stream, RESPONSE, &field(2, bytes))).await?;
            }
            1 => {
                let stream = call(&mut trunk, &mut calls).await?;
                let (code, words) = bytes.split_first().unwrap_or((&2, &[]));
                let status = [&[0x08, *code][..], &field(2, words)].concat();
                send(&mut trunk, CALLS, &message(stream, RESPONSE, &field(1, &status))).await?;
            }
            2 => {
                let stream = call(&mut trunk, &mut calls).await?;
                send(&mut trunk, CALLS, &message(stream, RESPONSE, bytes)).await?;
            }
            3 => drop(call(&mut trunk, &mut calls).await?),
            4 => {
                let (method, payload) = bytes.split_first().unwrap_or((&0, &[]));
                let name: &[u8] =
                    if method % 2 == 0 { b"RegisterPlugin" } else { b"UpdateContainers" };
                let request = [field(1, SERVICE), field(2, name), field(3, payload)].concat();
                send(&mut trunk, REQUESTS, &message(own, REQUEST, &request)).await?;
                own += 2;
            }
            5 => {
                let (connection, payload) = bytes.split_first().unwrap_or((&3, &[]));
                send(&mut trunk, u32::from(connection % 4), payload).await?;
            }
            _ => trunk.write_all(bytes).await.ok()?,
        }
    }
    Some(())
}

/// Waits for the runtime's next call; the number of its stream.
async fn call(trunk: &mut DuplexStream, calls: &mut Vec<u8>) -> Option<u32> {
    loop {
        if let Some(header) = calls.first_chunk::<10>() {
            let number = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|byte| header[at + byte]));
            let end = 10 + usize::try_from(number(0)).ok()?;
            let stream = number(4);
            if calls.len() >= end {
                calls.drain(..end);
                return Some(stream);
            }
        }
        let connection = trunk.read_u32().await.ok()?;
        let mut frame = vec![0; usize::try_from(trunk.read_u32().await.ok()?).ok()?];
        trunk.read_exact(&mut frame).await.ok()?;
        if connection == CALLS {
            calls.extend(frame);
        }
    }
}

async fn send(trunk: &mut DuplexStream, connection: u32, payload: &[u8]) -> Option<()> {
    trunk.write_u32(connection).await.ok()?;
    trunk.write_u32(u32::try_from(payload.len()).ok()?).await.ok()?;
    trunk.write_all(payload).await.ok()
}

/// A message of ttrpc.
fn message(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &stream.to_be_bytes(), &[kind, 0], payload].concat()
}

/// A field of bytes, of a message of protobuf.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap_or(0));
    field.extend(bytes);
    field
}
