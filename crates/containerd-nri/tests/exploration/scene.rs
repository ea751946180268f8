//! A session in a world of its own: a plugin that keeps count, a runtime that has the same conversation on each connection, and all
//! that was seen of both. Judges nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use containerd_nri::fake::{NriVersion, Outcome, Peer, Profile};
use containerd_nri::{
    Call, Container, ContainerUpdate, Event, EventSet, Handle, Launch, Plugin, PodSandbox, Refusal,
    Resources, RuntimeInfo, Session,
};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::wire::{Blow, Fate, Wire, locked};

/// How long a handler takes: longer than pieces of data need, much less than its budget.
const WORK: Duration = Duration::from_millis(40);
/// No world lives longer.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Connections that were configured, and synchronized, in this order.
    configured: Vec<String>,
    synchronized: Vec<String>,
    /// When handlers began and ended, by the id of their pod.
    pub(crate) begun: BTreeMap<String, Instant>,
    pub(crate) ended: BTreeMap<String, Instant>,
    /// What only a broken session does.
    pub(crate) wrong: Vec<String>,
    /// Events that were answered, by the id of their pod.
    pub(crate) answered: BTreeSet<String>,
    /// How often the plugin was told all and each event of a connection answered.
    pub(crate) whole: BTreeSet<String>,
    /// Connections that the runtime sees open.
    pub(crate) open: usize,
    /// Updates that were asked for, and of which something came.
    pub(crate) asked: usize,
    pub(crate) heard: usize,
    has_ended: bool,
}

/// The plugin, and the eyes on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counting(pub(crate) Arc<Mutex<Seen>>);

impl Counting {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plugin for Counting {
    fn events(&self) -> EventSet {
        EventSet::of(&[Event::RunPodSandbox, Event::StopPodSandbox])
    }

    async fn configure(&self, _: &Call, runtime: &RuntimeInfo) -> Result<(), Refusal> {
        self.seen().configured.push(runtime.config.clone());
        Ok(())
    }

    async fn synchronize(
        &self,
        _: &Call,
        pods: Vec<PodSandbox>,
        _: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        self.seen().synchronized.extend(pods.into_iter().map(|pod| pod.name));
        Ok(Vec::new())
    }

    async fn run_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        {
            let mut seen = self.seen();
            let is_now = |told: &[String]| told.last() == Some(&pod.name);
            if !is_now(&seen.configured) || !is_now(&seen.synchronized) {
                seen.wrong.push(format!("{} began out of its connection", pod.id));
            }
            if seen.has_ended {
                seen.wrong.push(format!("{} began after the session's end", pod.id));
            }
            if seen.begun.insert(pod.id.clone(), Instant::now()).is_some() {
                seen.wrong.push(format!("{} began twice", pod.id));
            }
        }
        sleep(WORK).await;
        self.seen().ended.insert(pod.id, Instant::now());
        Ok(())
    }

    async fn stop_pod_sandbox(&self, call: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        self.run_pod_sandbox(call, pod).await
    }
}

/// A world.
pub(crate) struct World {
    pub(crate) plugin: Counting,
    pub(crate) fate: Arc<Mutex<Fate>>,
    pub(crate) handle: Handle,
    session: JoinHandle<()>,
}

impl World {
    /// Begins one in which this happens at this moment.
    pub(crate) fn begin(blow: Blow, at: u64, seed: u64) -> Self {
        let (plugin, fate) = (Counting::default(), Fate::new(blow, at, seed));
        let (ends, dialed) = mpsc::unbounded_channel();
        tokio::spawn(host(dialed, plugin.clone()));
        let launch = Launch::External { socket: "nowhere".into() };
        let session = Session::new("10-counting".parse().unwrap(), launch, plugin.clone());
        let (handle, wires) = (session.handle(), Arc::clone(&fate));
        let dial = move || {
            let (near, far) = duplex(4096);
            let _ = ends.send(far);
            ready(Ok(Wire::over(near, Arc::clone(&wires))))
        };
        let session = tokio::spawn(async move { session.run_dialing(dial).await.unwrap() });
        tokio::spawn(ask(handle.clone(), plugin.clone()));
        locked(&fate).steers(handle.clone(), session.abort_handle());
        Self { plugin, fate, handle, session }
    }

    /// Waits until this holds of what was seen.
    pub(crate) async fn until(&self, holds: impl Fn(&Seen) -> bool) -> bool {
        let began = Instant::now();
        while !holds(&self.plugin.seen()) {
            if began.elapsed() > LONG {
                return false;
            }
            sleep(Duration::from_millis(50)).await;
        }
        true
    }

    /// Waits for the session's end, if there is one.
    pub(crate) async fn ends(&mut self) -> Option<Instant> {
        timeout(LONG, &mut self.session).await.ok()?.ok();
        self.plugin.seen().has_ended = true;
        Some(Instant::now())
    }
}

/// The runtime: one conversation after the other.
async fn host(mut dialed: mpsc::UnboundedReceiver<DuplexStream>, plugin: Counting) {
    for connection in 0.. {
        let Some(end) = dialed.recv().await else { return };
        plugin.seen().open += 1;
        converse(end, &format!("connection {connection}"), &plugin).await;
        plugin.seen().open -= 1;
    }
}

/// None if it came to an early end. A runtime waits for the end of a connection, whatever it has said.
async fn converse(end: DuplexStream, name: &str, plugin: &Counting) -> Option<()> {
    let mut profile = Profile::of(NriVersion::V0_12);
    name.clone_into(&mut profile.config);
    let mut peer = Peer::over(end, profile);
    let mut existing = PodSandbox::default();
    (existing.id, existing.name) = (format!("{name} existing"), name.to_owned());
    peer.introduce(std::slice::from_ref(&existing), &[]).await.ok()?;
    for event in [Event::RunPodSandbox, Event::StopPodSandbox] {
        let mut pod = existing.clone();
        pod.id = format!("{name} {event}");
        if peer.pod_event(event, &pod).await != Outcome::Answered(()) {
            return None;
        }
        plugin.seen().answered.insert(pod.id);
    }
    plugin.seen().whole.insert(name.to_owned());
    peer.closed().await;
    Some(())
}

/// Asks for an update each time that the plugin serves.
async fn ask(handle: Handle, plugin: Counting) {
    while handle.serving().await.is_some() {
        plugin.seen().asked += 1;
        let _ =
            handle.update_containers(vec![ContainerUpdate::new("any", Resources::default())]).await;
        plugin.seen().heard += 1;
        let _ = handle.watch().wait_for(|state| !state.is_serving()).await;
    }
}
