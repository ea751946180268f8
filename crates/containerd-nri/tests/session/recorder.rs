//! A plugin that writes down what it is told and does what a test wants, and a node to put it on.
//! Judges nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use containerd_nri::fake::{FakeRuntime, NriVersion, Peer, Profile};
use containerd_nri::{
    Call, Container, ContainerUpdate, Creation, Event, EventSet, FailurePolicy, Handle, Identity,
    Launch, Lost, Plugin, PodSandbox, PodUpdate, Refusal, Resources, RuntimeInfo, Session, State,
    Validation,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// No test waits longer for anything, on a machine however busy.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// A runtime that waits as long as its test does: where the deadline is not what is looked at, a busy machine must not make it so.
pub(crate) fn patient(nri: NriVersion) -> Profile {
    let mut profile = Profile::of(nri).with_request_timeout(LONG);
    profile.registration_timeout = LONG;
    profile
}

/// Writes down calls.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    pub(crate) events: EventSet,
    /// The one it wants once it is configured, instead of the others.
    pub(crate) chooses: Option<Event>,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    pub(crate) runtime: Arc<Mutex<Option<RuntimeInfo>>>,
    /// How long each handler takes, by the name of its event.
    pub(crate) takes: BTreeMap<&'static str, Duration>,
    /// Handlers that refuse, or panic.
    pub(crate) refuses: Option<&'static str>,
    pub(crate) panics: Option<&'static str>,
    /// How many bytes the answer to a creation has.
    pub(crate) answers: usize,
    pub(crate) policy: FailurePolicy,
    /// What `late` answers.
    pub(crate) accepts_late: bool,
    pub(crate) panics_late: bool,
}

impl Recorder {
    pub(crate) fn of(events: &[Event]) -> Self {
        Self { events: EventSet::of(events), ..Self::default() }
    }

    pub(crate) fn taking(mut self, call: &'static str, time: Duration) -> Self {
        self.takes.insert(call, time);
        self
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) async fn sees(&self, what: &str) {
        within(async {
            while !self.seen().iter().any(|seen| seen == what) {
                sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }

    fn note(&self, what: String) {
        self.seen.lock().unwrap().push(what);
    }

    async fn handle(&self, call: &'static str, of: &str) -> Result<(), Refusal> {
        self.note(format!("{call} {of}"));
        if let Some(time) = self.takes.get(call) {
            sleep(*time).await;
            self.note(format!("{call} {of} ended"));
        }
        assert_ne!(self.panics, Some(call), "as the test wants");
        if self.refuses == Some(call) {
            return Err(Refusal::new(format!("{call} is refused")));
        }
        Ok(())
    }
}

impl Plugin for Recorder {
    fn events(&self) -> EventSet {
        let is_configured = self.runtime.lock().unwrap().is_some();
        match self.chooses {
            Some(event) if is_configured => EventSet::from(event),
            _ => self.events,
        }
    }

    fn failure_policy(&self) -> FailurePolicy {
        self.policy
    }

    async fn configure(&self, _: &Call, runtime: &RuntimeInfo) -> Result<(), Refusal> {
        *self.runtime.lock().unwrap() = Some(runtime.clone());
        self.handle("Configure", &runtime.name).await
    }

    async fn synchronize(
        &self,
        _: &Call,
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        self.handle("Synchronize", &format!("{} {}", pods.len(), containers.len())).await?;
        Ok(containers.into_iter().take(1).map(|container| update(&container.id)).collect())
    }

    async fn shutdown(&self, _: &Call) {
        self.note("Shutdown".to_owned());
    }

    fn late(&self, call: &Call) -> Result<(), Refusal> {
        self.note(format!("late {}", call.work()));
        assert!(!self.panics_late, "as the test wants");
        if self.accepts_late { Ok(()) } else { Err(Refusal::new("late")) }
    }

    async fn run_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        self.handle("RunPodSandbox", &format!("{} {}", pod.id, pod.ips.join(","))).await
    }

    async fn update_pod_sandbox(
        &self,
        _: &Call,
        pod: PodSandbox,
        update: PodUpdate,
    ) -> Result<(), Refusal> {
        let shares = update.resources.cpu_shares.unwrap_or(0);
        self.handle("UpdatePodSandbox", &format!("{} {shares}", pod.id)).await
    }

    async fn post_update_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        self.handle("PostUpdatePodSandbox", &pod.id).await
    }

    async fn stop_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        self.handle("StopPodSandbox", &pod.id).await
    }

    async fn remove_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        self.handle("RemovePodSandbox", &pod.id).await
    }

    async fn create_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Creation, Refusal> {
        self.handle("CreateContainer", &format!("{} {}", pod.id, container.id)).await?;
        let mut creation = Creation::default();
        creation.adjustment.set_env("SEEN", pod.id);
        if self.answers > 0 {
            creation.adjustment.set_env("LONG", "x".repeat(self.answers));
        }
        creation.updates.push(update("other"));
        Ok(creation)
    }

    async fn post_create_container(
        &self,
        _: &Call,
        _: PodSandbox,
        c: Container,
    ) -> Result<(), Refusal> {
        self.handle("PostCreateContainer", &c.id).await
    }

    async fn start_container(&self, _: &Call, _: PodSandbox, c: Container) -> Result<(), Refusal> {
        self.handle("StartContainer", &c.id).await
    }

    async fn post_start_container(
        &self,
        _: &Call,
        _: PodSandbox,
        c: Container,
    ) -> Result<(), Refusal> {
        self.handle("PostStartContainer", &c.id).await
    }

    async fn update_container(
        &self,
        _: &Call,
        _: PodSandbox,
        container: Container,
        resources: Resources,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        let shares = resources.cpu_shares.unwrap_or(0);
        self.handle("UpdateContainer", &format!("{} {shares}", container.id)).await?;
        Ok(vec![update("updated")])
    }

    async fn post_update_container(
        &self,
        _: &Call,
        _: PodSandbox,
        c: Container,
    ) -> Result<(), Refusal> {
        self.handle("PostUpdateContainer", &c.id).await
    }

    async fn stop_container(
        &self,
        _: &Call,
        _: PodSandbox,
        container: Container,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        self.handle("StopContainer", &container.id).await?;
        Ok(vec![update("freed")])
    }

    async fn remove_container(&self, _: &Call, _: PodSandbox, c: Container) -> Result<(), Refusal> {
        self.handle("RemoveContainer", &c.id).await
    }

    async fn validate_container_adjustment(
        &self,
        _: &Call,
        _: PodSandbox,
        container: Container,
        validation: Validation,
    ) -> Result<(), Refusal> {
        let asked = validation.adjustment.env.len();
        self.handle("ValidateContainerAdjustment", &format!("{} {asked}", container.id)).await
    }
}

/// A socket's folder, a runtime on it, and a session that dials it.
pub(crate) struct Node {
    pub(crate) folder: TempDir,
    pub(crate) runtime: FakeRuntime,
    pub(crate) handle: Handle,
    pub(crate) running: JoinHandle<Result<(), Lost>>,
    losses: Mutex<mpsc::UnboundedReceiver<Arc<Lost>>>,
}

impl Node {
    pub(crate) fn with(plugin: Recorder, profile: Profile) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("nri.sock");
        let runtime = FakeRuntime::listen(&socket, profile).unwrap();
        let session = session(plugin, Launch::External { socket });
        let handle = session.handle();
        let losses = Mutex::new(losses(&handle));
        let running = tokio::spawn(session.run());
        Self { folder, runtime, handle, running, losses }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("nri.sock")
    }

    /// The next connection, not introduced yet.
    pub(crate) async fn peer(&self) -> Peer {
        within(self.runtime.accept()).await.unwrap()
    }

    /// The next connection, through its handshake, with nothing that exists.
    pub(crate) async fn serving(&self) -> Peer {
        let mut peer = self.peer().await;
        within(peer.introduce(&[], &[])).await.unwrap();
        within(self.handle.serving()).await.unwrap();
        peer
    }

    /// Why the next connection was lost, once it is.
    pub(crate) async fn lost(&self) -> Arc<Lost> {
        within(std::future::poll_fn(|context| self.losses.lock().unwrap().poll_recv(context)))
            .await
            .unwrap()
    }

    /// The runtime dies with its socket in place.
    pub(crate) fn runtime_dies(&mut self) {
        let elsewhere = self.folder.path().join("other.sock");
        self.runtime = FakeRuntime::listen(elsewhere, patient(NriVersion::V0_8)).unwrap();
    }

    /// And another takes the socket over.
    pub(crate) fn runtime_is_back(&mut self, profile: Profile) {
        self.runtime = FakeRuntime::listen(self.socket(), profile).unwrap();
    }
}

/// Each loss, also of a connection that was lost and made anew while the test did something else.
fn losses(handle: &Handle) -> mpsc::UnboundedReceiver<Arc<Lost>> {
    let (tell, losses) = mpsc::unbounded_channel();
    let mut states = handle.watch();
    tokio::spawn(async move {
        while states.changed().await.is_ok() {
            if let State::Lost { cause, .. } = &*states.borrow_and_update() {
                let _ = tell.send(Arc::clone(cause));
            }
        }
    });
    losses
}

pub(crate) fn session(plugin: Recorder, launch: Launch) -> Session<Recorder> {
    Session::new(Identity::new("recorder", "10").unwrap(), launch, plugin)
}

pub(crate) fn pod(id: &str) -> PodSandbox {
    let mut pod = PodSandbox::default();
    pod.id = id.to_owned();
    pod.name = format!("pod-{id}");
    pod.ips = vec!["10.0.0.7".to_owned()];
    pod
}

pub(crate) fn container(id: &str) -> Container {
    let mut container = Container::default();
    container.id = id.to_owned();
    container
}

pub(crate) fn shares(cpu_shares: u64) -> Resources {
    let mut resources = Resources::default();
    resources.cpu_shares = Some(cpu_shares);
    resources
}

pub(crate) fn update(container_id: &str) -> ContainerUpdate {
    ContainerUpdate::new(container_id, shares(7)).or_ignore()
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(LONG, future).await.expect("it takes too long")
}
