//! What a runtime could send, drawn at random: the frames of a conversation, damaged and out of order. Whatever comes, the session
//! ends when its connection does, nothing panics, and memory stays bounded. In a process of its own, since it looks at the whole
//! process.
//!
//! The same seed draws the same rounds. `NRI_SEED` begins with another, `NRI_ROUNDS` plays more of them.

#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use containerd_nri::fake::OnWire;
use containerd_nri::{
    Call, Container, ContainerUpdate, Creation, Device, Event, EventSet, Identity, Launch, Lost,
    Mount, Namespace, Plugin, PodSandbox, PodUpdate, Refusal, Resources, RuntimeInfo, Session,
};
use protobuf::Message;
use tokio::io::{AsyncWriteExt, copy, duplex, sink, split};
use tokio::time::timeout;
use ttrpc::{Request, Response};

/// Of these, one in eight is left as it is.
const ROUNDS: u64 = 900;
/// How long a session may go on once its connection has ended: a second to give its last answers, and ten where nobody reads.
const PATIENCE: Duration = Duration::from_secs(60);
/// What all rounds together may add to the process, at most, at any moment.
const GROWTH_KIB: usize = 48 * 1024;

static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn whatever_comes_the_session_ends_with_its_connection() {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        eprintln!("{panic}");
    }));
    let of = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (first, rounds) = (of("NRI_SEED").unwrap_or(1), of("NRI_ROUNDS").unwrap_or(ROUNDS));
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let before = kib("VmRSS:");
    let mut ends = BTreeMap::new();
    for seed in first..first + rounds {
        let end = tokio.block_on(round(seed));
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "NRI_SEED={seed}");
        let grown = kib("VmHWM:").saturating_sub(before);
        assert!(grown < GROWTH_KIB, "NRI_SEED={seed}: {grown} KiB more");
        *ends.entry(end).or_insert(0) += 1;
    }
    eprintln!("{} KiB more; {ends:?}", kib("VmHWM:").saturating_sub(before));
    // A generator that never gets beyond the first rule proves nothing of the others.
    let kinds = ["Closed", "CutFrame", "EmptyFrame", "LongFrame", "LongMessage", "MessageKind"];
    for kind in kinds.into_iter().chain(["Payload", "Request", "EvenStream"]) {
        let seen = ends.keys().any(|end| end.contains(kind));
        assert!(seen || rounds < ROUNDS, "no round ended with {kind}: {ends:?}");
    }
}

/// Has one conversation; gives how it ended.
async fn round(seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let told = Told::default();
    let identity = Identity::new("told", "10").unwrap();
    let launch = Launch::External { socket: "/nowhere".into() };
    let session = Session::new(identity, launch, told.clone());
    let (ours, theirs) = duplex(1 << 16);
    let (mut answers, mut trunk) = split(theirs);
    let running = tokio::spawn(session.run_over(ours));
    let is_whole = seed % 8 == 0;
    let bytes = if is_whole {
        conversation().concat()
    } else {
        let mut frames = conversation();
        (0..=dice.below(4)).for_each(|_| damage(&mut frames, &mut dice));
        frames.concat()
    };
    let reads = is_whole || dice.below(8) > 0;
    let reading = tokio::spawn(async move {
        if reads {
            let _ = copy(&mut answers, &mut sink()).await;
        }
        answers
    });
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(dice.below(rest.len()).max(1));
        // A session that has had enough hears no more.
        match timeout(PATIENCE, trunk.write_all(piece)).await {
            Ok(Ok(())) => rest = more,
            Ok(Err(_)) | Err(_) => break,
        }
        if dice.below(3) == 0 {
            tokio::task::yield_now().await;
        }
    }
    if is_whole {
        // An answer under way when the connection ends reaches nobody, and the session does not wait for its handler.
        told.heard(EVENTS.len() + 1).await;
    }
    let _ = trunk.shutdown().await;
    let ended = timeout(PATIENCE, running).await;
    let ended = ended.unwrap_or_else(|_| panic!("NRI_SEED={seed}: it goes on"));
    reading.abort();
    match ended.unwrap_or_else(|error| panic!("NRI_SEED={seed}: {error}")) {
        Err(Lost::Closed { .. }) if is_whole => "Closed, whole".to_owned(),
        end if is_whole => panic!("NRI_SEED={seed}: {end:?}"),
        Ok(()) => "Ok".to_owned(),
        Err(Lost::Protocol(violation)) => word(&format!("{violation:?}")),
        Err(other) => word(&format!("{other:?}")),
    }
}

fn word(text: &str) -> String {
    text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// Counts what it is told, and looks whether it says of what.
#[derive(Clone, Default)]
struct Told(Arc<AtomicUsize>);

impl Told {
    fn hear(&self, id: &str) -> Result<(), Refusal> {
        assert!(!id.is_empty(), "an event of nothing");
        self.0.fetch_add(1, Ordering::SeqCst);
        if id.len() % 7 == 0 { Err(Refusal::new("no")) } else { Ok(()) }
    }

    async fn heard(&self, events: usize) {
        let all = async {
            while self.0.load(Ordering::SeqCst) < events {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, all).await.expect("events are lost");
    }
}

/// Declares the handlers that are alike.
macro_rules! hears {
    ($($handler:ident($pod:ident $(, $container:ident)?);)+) => {$(
        async fn $handler(&self, _: &Call, $pod: PodSandbox $(, $container: Container)?) -> Result<(), Refusal> {
            self.hear(hears!(@id $pod $($container)?))
        }
    )+};
    (@id $pod:ident) => { &$pod.id };
    (@id $pod:ident $container:ident) => {{ let _ = &$pod; &$container.id }};
}

impl Plugin for Told {
    fn events(&self) -> EventSet {
        EventSet::of(Event::ALL)
    }

    async fn configure(&self, _: &Call, runtime: &RuntimeInfo) -> Result<(), Refusal> {
        if runtime.name.len() % 7 == 6 { Err(Refusal::new("no")) } else { Ok(()) }
    }

    async fn synchronize(
        &self,
        _: &Call,
        _: Vec<PodSandbox>,
        containers: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        let updates = containers.into_iter().map(|container| container.id);
        Ok(updates.map(|id| ContainerUpdate::new(id, Resources::default())).collect())
    }

    async fn create_container(
        &self,
        _: &Call,
        _: PodSandbox,
        container: Container,
    ) -> Result<Creation, Refusal> {
        self.hear(&container.id)?;
        let mut creation = Creation::default();
        creation.adjustment.annotations = container.annotations;
        creation.adjustment.devices = container.devices;
        Ok(creation)
    }

    async fn update_pod_sandbox(
        &self,
        _: &Call,
        pod: PodSandbox,
        _: PodUpdate,
    ) -> Result<(), Refusal> {
        self.hear(&pod.id)
    }

    async fn stop_container(
        &self,
        _: &Call,
        _: PodSandbox,
        container: Container,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        // Longer than its budget.
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.hear(&container.id)?;
        Ok(Vec::new())
    }

    hears! {
        run_pod_sandbox(pod);
        post_update_pod_sandbox(pod);
        stop_pod_sandbox(pod);
        remove_pod_sandbox(pod);
        post_create_container(pod, container);
        start_container(pod, container);
        post_start_container(pod, container);
        post_update_container(pod, container);
        remove_container(pod, container);
    }
}

/// The events of a conversation: the method, and whether it says of a container.
const EVENTS: [(&str, bool); 12] = [
    ("RunPodSandbox", false),
    ("CreateContainer", true),
    ("PostCreateContainer", true),
    ("StartContainer", true),
    ("PostStartContainer", true),
    ("UpdatePodSandbox", false),
    ("PostUpdatePodSandbox", false),
    ("PostUpdateContainer", true),
    ("StopContainer", true),
    ("RemoveContainer", true),
    ("StopPodSandbox", false),
    ("RemovePodSandbox", false),
];

/// What a runtime says from beginning to end, frame by frame.
fn conversation() -> Vec<Vec<u8>> {
    let (pod, container) = (pod().to_bytes(), container().to_bytes());
    let answer = Response::new().write_to_bytes().unwrap();
    let hello = [field(2, b"containerd"), field(3, b"v2.3.4"), field(8, b"v0.12.5")].concat();
    let part = [field(1, &pod), field(2, &container), vec![0x18, 1]].concat();
    let mut frames = vec![
        frame(2, &message(1, 2, &answer)),
        request(1, "Configure", &hello),
        request(3, "Synchronize", &part),
        request(5, "Synchronize", &part[..part.len() - 2]),
    ];
    for (at, (method, is_of_container)) in EVENTS.into_iter().enumerate() {
        let mut payload = field(1, &pod);
        if is_of_container {
            payload.extend(field(2, &container));
        }
        frames.push(request(7 + 2 * u32::try_from(at).unwrap(), method, &payload));
    }
    let mut change = vec![0x08, 1];
    change.extend(field(2, &pod));
    // The old way to say it, which is one event more.
    frames.insert(5, request(99, "StateChange", &change));
    frames.push(request(101, "Shutdown", &[]));
    frames
}

fn pod() -> PodSandbox {
    let mut pod = PodSandbox::default();
    (pod.id, pod.name) = ("pod-1".to_owned(), "name".to_owned());
    pod.annotations.insert("key".to_owned(), "value".repeat(20));
    pod.namespaces.push(Namespace::new("network", "/run/netns/a"));
    pod.ips = vec!["10.0.0.7".to_owned()];
    pod
}

fn container() -> Container {
    let mut container = Container::default();
    (container.id, container.pod_sandbox_id) = ("container".to_owned(), "pod-1".to_owned());
    container.annotations.insert("key".to_owned(), "value".to_owned());
    container.devices.push(Device::character("/dev/null", 1, 3));
    container.mounts.push(Mount::bind("/a", "/b"));
    container.resources.cpu_shares = Some(7);
    container
}

/// Changes the frames in one way of many.
fn damage(frames: &mut Vec<Vec<u8>>, dice: &mut Dice) {
    let at = dice.below(frames.len());
    let other = dice.below(frames.len());
    let frame = &mut frames[at];
    match dice.below(15) {
        0 => frames.swap(at, other),
        1 => drop(frames.remove(at)),
        2 => frames.insert(other, frames[at].clone()),
        3 => frames.rotate_left(at),
        // Cut off, with more behind it.
        4 => frame.truncate(dice.below(frame.len())),
        5 => {
            let bit = dice.below(frame.len() * 8);
            frame[bit / 8] ^= 1 << (bit % 8);
        }
        // In the payload alone, so that the frame and the message are sound.
        6 | 7 => {
            for _ in 0..=dice.below(4) {
                let byte = 18 + dice.below(frame.len().saturating_sub(18).max(1));
                if let Some(byte) = frame.get_mut(byte) {
                    *byte = dice.byte();
                }
            }
        }
        // The connection, the length of the frame, that of the message, the stream, or the kind.
        8 | 9 => {
            let field = [0, 4, 8, 12, 16][dice.below(5)];
            let number = dice.number();
            for (byte, by) in frame.iter_mut().skip(field).zip(number.to_be_bytes()) {
                *byte = by;
            }
        }
        10 => cut(frames, at, other, dice),
        11 => frames[at] = (0..dice.below(200)).map(|_| dice.byte()).collect(),
        // Much of the same, so that calls pile up.
        12 => {
            let copies = vec![frames[at].clone(); dice.below(200)];
            frames.splice(at..at, copies);
        }
        // Of something without an id.
        13 => {
            let (method, _) = EVENTS[dice.below(EVENTS.len())];
            let named = field(2, b"name");
            let payload = [field(1, &named), field(2, &named)].concat();
            frames[at] =
                request(dice.number() | 1, method, &payload[..payload.len() / (1 + dice.below(2))]);
        }
        _ => {
            let long = vec![dice.byte(); dice.below(1 << 18)];
            frames[at] = request(dice.number() | 1, "RunPodSandbox", &field(1, &field(1, &long)));
        }
    }
    if frames.is_empty() {
        frames.push(Vec::new());
    }
}

/// One message in several frames, at times with another's between them.
fn cut(frames: &mut Vec<Vec<u8>>, at: usize, other: usize, dice: &mut Dice) {
    let whole = &mut frames[at];
    let place = 8 + dice.below(whole.len().saturating_sub(8).max(1));
    let payload = whole.split_off(place.min(whole.len()));
    let length = u32::try_from(whole.len().saturating_sub(8)).unwrap();
    for (byte, by) in whole.iter_mut().skip(4).zip(length.to_be_bytes()) {
        *byte = by;
    }
    let id = u32::try_from(dice.below(4)).unwrap();
    frames.insert(at + 1, frame(id, &payload));
    if dice.below(2) == 0 {
        frames.insert(at + 1, frames[other].clone());
    }
}

fn request(stream: u32, method: &str, payload: &[u8]) -> Vec<u8> {
    let mut request = Request::new();
    "nri.pkg.api.v1alpha1.Plugin".clone_into(&mut request.service);
    method.clone_into(&mut request.method);
    request.timeout_nano = 2_000_000_000;
    request.payload = payload.to_vec();
    frame(1, &message(stream, 1, &request.write_to_bytes().unwrap()))
}

fn message(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(stream.to_be_bytes());
    bytes.extend([kind, 0]);
    bytes.extend(payload);
    bytes
}

fn frame(id: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    field.extend(bytes);
    field
}

/// Random numbers: the same seed, the same numbers.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn draw(&mut self) -> u64 {
        // xorshift64 of Marsaglia's.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap();
        usize::try_from(self.draw() % end).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.draw().to_be_bytes()[0]
    }

    /// Small, at a limit, or anything.
    fn number(&mut self) -> u32 {
        let any = u32::try_from(self.draw() >> 32).unwrap();
        let limits =
            [0, 1, 2, 3, 10, 4096, (4 << 20) - 1, (4 << 20) + 10, (4 << 20) + 11, u32::MAX];
        if any % 4 == 0 { any } else { limits[self.below(limits.len())] }
    }
}

/// One line of the process's status.
fn kib(of: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(of)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
