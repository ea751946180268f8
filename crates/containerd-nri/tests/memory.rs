//! A runtime gone mad must not fill the plugin's memory. In a process of its own, since it looks
//! at the whole process.

#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use containerd_nri::fake::{FakeRuntime, NriVersion, Peer, Profile};
use containerd_nri::{
    Call, Event, EventSet, Identity, Launch, Plugin, PodSandbox, Refusal, Session,
};
use protobuf::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::Mutex;
use tokio::time::timeout;
use ttrpc::Request;

/// Held by the test that measures.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Never ends a handler, and counts them.
#[derive(Clone, Default)]
struct Stuck {
    handlers: Arc<AtomicUsize>,
}

impl Plugin for Stuck {
    fn events(&self) -> EventSet {
        EventSet::of(&[Event::RunPodSandbox])
    }

    async fn run_pod_sandbox(&self, _: &Call, _pod: PodSandbox) -> Result<(), Refusal> {
        self.handlers.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

/// Refuses at once, in more words than the call had.
struct Refusing;

impl Plugin for Refusing {
    fn events(&self) -> EventSet {
        EventSet::of(&[Event::RunPodSandbox])
    }

    async fn run_pod_sandbox(&self, _: &Call, _pod: PodSandbox) -> Result<(), Refusal> {
        Err(Refusal::new("no ".repeat(1000)))
    }
}

#[tokio::test]
async fn a_flood_of_events_for_a_stuck_plugin_is_refused_beyond_a_bound() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nri.sock");
    let runtime = FakeRuntime::listen(&socket, Profile::of(NriVersion::V0_8)).unwrap();
    let plugin = Stuck::default();
    let identity = Identity::new("stuck", "10").unwrap();
    let session = Session::new(identity, Launch::External { socket }, plugin.clone());
    let handle = session.handle();
    tokio::spawn(session.run());
    let mut trunk = runtime.accept_raw().await.unwrap();

    let before = kib("VmRSS:");
    let event = event_of(100_000);
    let mut sent = 0_usize;
    let mut unread = vec![0; 1 << 16];
    for _ in 0..3_000 {
        // Answers pile up unread until the plugin stops reading, which is as good.
        match timeout(Duration::from_millis(300), trunk.write_all(&event)).await {
            Ok(written) => written.unwrap(),
            Err(_) => break,
        }
        sent += event.len();
        let _ = trunk.try_read(&mut unread);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let grown = kib("VmRSS:").saturating_sub(before);

    assert!(sent > 100 << 20, "only {sent} bytes were taken");
    let handlers = plugin.handlers.load(Ordering::SeqCst);
    assert!((100..200).contains(&handlers), "{handlers} handlers hold 16 MiB");
    eprintln!("{grown} KiB more after {sent} bytes, {handlers} handlers");
    assert!(grown < 64 * 1024, "{grown} KiB more after {sent} bytes");
    handle.stop();
}

#[tokio::test]
async fn answers_nobody_reads_are_not_piled_up() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nri.sock");
    let runtime = FakeRuntime::listen(&socket, Profile::of(NriVersion::V0_8)).unwrap();
    let identity = Identity::new("refusing", "10").unwrap();
    let session = Session::new(identity, Launch::External { socket }, Refusing);
    tokio::spawn(session.run());
    let mut trunk = runtime.accept_raw().await.unwrap();

    let before = kib("VmRSS:");
    let event = event_of(1);
    let mut sent = 0;
    while let Ok(written) = timeout(Duration::from_millis(300), trunk.write_all(&event)).await {
        written.unwrap();
        sent += 1;
        assert!(sent < 1_000_000, "it takes more and more");
    }
    let grown = kib("VmRSS:").saturating_sub(before);
    eprintln!("{grown} KiB more after {sent} unread answers");
    assert!(grown < 128 * 1024, "{grown} KiB more after {sent} unread answers");
}

#[tokio::test]
async fn promised_and_unsent_bytes_take_no_memory() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nri.sock");
    let runtime = FakeRuntime::listen(&socket, Profile::of(NriVersion::V0_8)).unwrap();
    let before = kib("VmData:");
    let mut trunks = Vec::new();
    for number in 10..60 {
        let identity = Identity::new("many", number.to_string()).unwrap();
        let launch = Launch::External { socket: socket.clone() };
        tokio::spawn(Session::new(identity, launch, Stuck::default()).run());
        let mut trunk = runtime.accept_raw().await.unwrap();
        // A frame and a message of 4 MiB, of which nothing comes.
        let length: u32 = 4 << 20;
        trunk.write_u32(1).await.unwrap();
        trunk.write_u32(length + 10).await.unwrap();
        trunk.write_u32(length).await.unwrap();
        trunk.write_all(&[0, 0, 0, 1, 1, 0]).await.unwrap();
        let mut registration = [0; 20];
        trunk.read_exact(&mut registration).await.unwrap();
        trunks.push(trunk);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let grown = kib("VmData:").saturating_sub(before);
    eprintln!("{grown} KiB more for 50 sessions");
    // Not touched yet, it would show in no other number than this.
    assert!(grown < 50 * 1024, "{grown} KiB more for 50 sessions");
}

#[tokio::test]
async fn bytes_that_a_plugin_promises_take_the_fake_runtime_no_memory() {
    let _alone = ALONE.lock().await;
    let before = kib("VmData:");
    let (ours, mut plugin) = duplex(64);
    let mut peer = Peer::over(ours, Profile::of(NriVersion::V0_8));
    plugin.write_u32(2).await.unwrap();
    plugin.write_u32(u32::MAX).await.unwrap();
    plugin.write_all(b"no more").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let grown = kib("VmData:").saturating_sub(before);
    assert!(grown < 1024 * 1024, "{grown} KiB more");
    drop(plugin);
    assert_eq!(timeout(Duration::from_secs(5), peer.closed()).await, Ok(None));
}

fn event_of(size: usize) -> Vec<u8> {
    // Field 1, a pod, whose field 1 is its id and field 2 its long name.
    let mut pod = vec![0x0a, 1, b'p', 0x12];
    varint(size, &mut pod);
    pod.extend(std::iter::repeat_n(b'x', size));
    let mut payload = vec![0x0a];
    varint(pod.len(), &mut payload);
    payload.extend(pod);
    let mut request = Request::new();
    "nri.pkg.api.v1alpha1.Plugin".clone_into(&mut request.service);
    "RunPodSandbox".clone_into(&mut request.method);
    request.payload = payload;
    let request = request.write_to_bytes().unwrap();
    let length = u32::try_from(request.len()).unwrap();
    let mut frame = vec![0, 0, 0, 1];
    frame.extend((length + 10).to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame.extend([0, 0, 0, 1, 1, 0]);
    frame.extend(request);
    frame
}

fn varint(mut value: usize, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
}

/// One line of the process's status.
fn kib(of: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(of)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
