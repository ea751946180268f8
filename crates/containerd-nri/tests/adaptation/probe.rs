//! A plugin that keeps what it is told and does what a conversation wants. Judges nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use containerd_nri::fake::OnWire;
use containerd_nri::{
    Call, Container, ContainerAdjustment, ContainerUpdate, Creation, Event, EventSet,
    FailurePolicy, Handle, Identity, Launch, Plugin, PodSandbox, PodUpdate, Refusal, Resources,
    RuntimeInfo, Session, State, Validation,
};
use tokio::runtime::Runtime as Tokio;
use tokio::time::{sleep, timeout};

/// No conversation waits longer for anything.
const LONG: Duration = Duration::from_secs(30);

/// What an event said, as the crate's types write it again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) event: Option<Event>,
    pub(crate) pod: Vec<u8>,
    pub(crate) container: Vec<u8>,
    pub(crate) resources: Vec<u8>,
    pub(crate) overhead: Vec<u8>,
}

/// What a conversation wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) adjustment: ContainerAdjustment,
    pub(crate) refuses: Option<Event>,
    /// The handler of this event ends long after its budget.
    pub(crate) sleeps: Option<Event>,
    /// And then not even [`Plugin::late`] answers in time.
    pub(crate) stalls: bool,
    pub(crate) events: EventSet,
    pub(crate) policy: FailurePolicy,
}

/// The plugin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    pub(crate) wish: Arc<Mutex<Wish>>,
    pub(crate) told: Arc<Mutex<Vec<Told>>>,
    pub(crate) validation: Arc<Mutex<Option<Validation>>>,
    pub(crate) synchronized: Arc<Mutex<Vec<(usize, usize)>>>,
    pub(crate) runtime: Arc<Mutex<Option<RuntimeInfo>>>,
}

impl Probe {
    pub(crate) fn of(events: &[Event]) -> Self {
        let probe = Self::default();
        probe.wish.lock().unwrap().events = EventSet::of(events);
        probe
    }

    pub(crate) fn wishes(&self, wish: impl FnOnce(&mut Wish)) {
        wish(&mut self.wish.lock().unwrap());
    }

    pub(crate) fn last(&self) -> Told {
        self.told.lock().unwrap().last().cloned().unwrap_or_default()
    }

    fn wish(&self) -> Wish {
        self.wish.lock().unwrap().clone()
    }

    async fn hear(&self, event: Event, told: Told) -> Result<(), Refusal> {
        self.told.lock().unwrap().push(Told { event: Some(event), ..told });
        let wish = self.wish();
        if wish.sleeps == Some(event) {
            sleep(Duration::from_secs(3)).await;
        }
        if wish.refuses == Some(event) {
            return Err(Refusal::new(format!("the probe refuses {event}")));
        }
        Ok(())
    }
}

fn of_pod(pod: &PodSandbox) -> Told {
    Told { pod: pod.to_bytes(), ..Told::default() }
}

fn of(pod: &PodSandbox, container: &Container) -> Told {
    Told { container: container.to_bytes(), ..of_pod(pod) }
}

/// Declares the handlers of events that say of what they are and no more.
macro_rules! hears {
    ($($handler:ident($pod:ident $(, $container:ident)?) = $event:ident;)+) => {$(
        async fn $handler(&self, _: &Call, $pod: PodSandbox $(, $container: Container)?) -> Result<(), Refusal> {
            let told = hears!(@told $pod $($container)?);
            self.hear(Event::$event, told).await
        }
    )+};
    (@told $pod:ident) => { of_pod(&$pod) };
    (@told $pod:ident $container:ident) => { of(&$pod, &$container) };
}

impl Plugin for Probe {
    fn events(&self) -> EventSet {
        self.wish().events
    }

    fn failure_policy(&self) -> FailurePolicy {
        self.wish().policy
    }

    fn late(&self, call: &Call) -> Result<(), Refusal> {
        if self.wish().stalls {
            std::thread::sleep(Duration::from_millis(1500));
        }
        Err(Refusal::new(format!(
            "{} takes longer than {:?}",
            call.work().call(),
            call.budget().time()
        )))
    }

    async fn configure(&self, _: &Call, runtime: &RuntimeInfo) -> Result<(), Refusal> {
        *self.runtime.lock().unwrap() = Some(runtime.clone());
        Ok(())
    }

    async fn synchronize(
        &self,
        _: &Call,
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        self.synchronized.lock().unwrap().push((pods.len(), containers.len()));
        Ok(containers.first().map(|container| update(&container.id)).into_iter().collect())
    }

    hears! {
        run_pod_sandbox(pod) = RunPodSandbox;
        post_update_pod_sandbox(pod) = PostUpdatePodSandbox;
        stop_pod_sandbox(pod) = StopPodSandbox;
        remove_pod_sandbox(pod) = RemovePodSandbox;
        post_create_container(pod, container) = PostCreateContainer;
        start_container(pod, container) = StartContainer;
        post_start_container(pod, container) = PostStartContainer;
        post_update_container(pod, container) = PostUpdateContainer;
        remove_container(pod, container) = RemoveContainer;
    }

    async fn update_pod_sandbox(
        &self,
        _: &Call,
        pod: PodSandbox,
        update: PodUpdate,
    ) -> Result<(), Refusal> {
        let (resources, overhead) = (update.resources.to_bytes(), update.overhead.to_bytes());
        self.hear(Event::UpdatePodSandbox, Told { resources, overhead, ..of_pod(&pod) }).await
    }

    async fn create_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Creation, Refusal> {
        self.hear(Event::CreateContainer, of(&pod, &container)).await?;
        let mut creation = Creation::default();
        creation.adjustment = self.wish().adjustment;
        creation.updates.push(update("another"));
        Ok(creation)
    }

    async fn update_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
        resources: Resources,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        let told = Told { resources: resources.to_bytes(), ..of(&pod, &container) };
        self.hear(Event::UpdateContainer, told).await?;
        Ok(vec![update("another")])
    }

    async fn stop_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        self.hear(Event::StopContainer, of(&pod, &container)).await?;
        Ok(vec![update("another")])
    }

    async fn validate_container_adjustment(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
        validation: Validation,
    ) -> Result<(), Refusal> {
        *self.validation.lock().unwrap() = Some(validation);
        self.hear(Event::ValidateContainerAdjustment, of(&pod, &container)).await
    }
}

pub(crate) fn update(container_id: &str) -> ContainerUpdate {
    let mut resources = Resources::default();
    resources.cpu_shares = Some(7);
    ContainerUpdate::new(container_id, resources)
}

/// A probe at work, in a runtime of its own.
pub(crate) struct Plugged {
    pub(crate) probe: Probe,
    pub(crate) handle: Handle,
    pub(crate) tokio: Tokio,
}

impl Plugged {
    /// A probe that dials this socket.
    pub(crate) fn dialing(socket: impl Into<std::path::PathBuf>, probe: Probe) -> Self {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        Self::dialing_in(tokio, socket, probe)
    }

    /// The same in a runtime that is there.
    pub(crate) fn dialing_in(
        tokio: Tokio,
        socket: impl Into<std::path::PathBuf>,
        probe: Probe,
    ) -> Self {
        let launch = Launch::External { socket: socket.into() };
        let session = Session::new(Identity::new("probe", "10").unwrap(), launch, probe.clone());
        let handle = session.handle();
        tokio.spawn(session.run());
        Self { probe, handle, tokio }
    }

    /// Waits until the runtime knows the plugin.
    pub(crate) fn serves(&self) {
        let serving = self.tokio.block_on(async { timeout(LONG, self.handle.serving()).await });
        assert!(serving.expect("it serves in time").is_some());
    }

    /// Waits until the connection is lost, and says why.
    pub(crate) fn lost(&self) -> String {
        let mut states = self.handle.watch();
        let lost = async move {
            let lost = states.wait_for(|state| matches!(state, State::Lost { .. })).await;
            match &*lost.unwrap() {
                State::Lost { cause, .. } => format!("{cause:?}"),
                _ => String::new(),
            }
        };
        self.tokio.block_on(async { timeout(LONG, lost).await }).expect("it is lost in time")
    }
}
