//! Hears of pods from containerd or CRI-O over NRI. A pod that asks for networks gets them when its sandbox runs, and no
//! container of it is created before it has them. What is done here is only calling operations and answering in time.

mod adjustment;
mod missed;
pub mod pod;
mod pods;
mod policy;

use std::{sync::Arc, time::Duration};

use containerd_nri::{
    Call, Container, ContainerUpdate, Creation, Event, EventSet, FailurePolicy, Plugin, PodSandbox,
    Refusal, RuntimeInfo, Work,
};
use tokio::{sync::oneshot, task};

pub use self::pods::Pods;
use crate::{
    config::Tell,
    kernel::LinuxKernel,
    lease::Claim,
    operation::{self, Driving, OperationError, Told, Which},
    request::{self, SandboxEvent},
    types::{Deadline, SandboxId, quote, with_causes},
};

/// How long before the end of a handler's time an operation must have given up, to put everything back and say why.
const TO_ANSWER: Duration = Duration::from_millis(150);

/// How long attaching all those that were missed may take.
const CATCHING_UP: Duration = Duration::from_secs(30);

/// How long taking back may go on. The runtime does not wait for it that long, and need not.
const TAKING_BACK: Duration = Duration::from_secs(30);

/// How long writing down that a pod is no longer missed may wait for others who record something.
const RECORDING: Duration = Duration::from_secs(1);

/// What the plugin tells the daemon around it.
pub trait Node: Send + Sync + 'static {
    /// The runtime has this file for the plugin; empty when it has none. An error is why the plugin cannot serve.
    fn configured(&self, plugin_file: &str) -> Result<(), String>;

    /// The runtime told of all its pods: leases should be compared with them.
    fn synchronized(&self);

    /// A sandbox that asks for something was answered for, so long before it would have been too late.
    fn answered(&self, left: Duration);
}

/// The plugin.
#[derive(Debug)]
pub struct NriPlugin<N> {
    pods: Arc<Pods>,
    node: Arc<N>,
}

impl<N: Node> NriPlugin<N> {
    /// A plugin of `node` that tells `pods` what it hears.
    pub fn new(pods: Arc<Pods>, node: Arc<N>) -> Self {
        Self { pods, node }
    }

    /// Attaches what the pod asks for, or finds it attached; what its containers need for the devices that they drive.
    async fn attach(&self, call: &Call, event: SandboxEvent) -> Result<Driving, String> {
        let (context, deadline) = (self.pods.context(), by(call));
        let kubelet = self.pods.kubelet();
        let done = blocking(move || {
            let mut kernel = LinuxKernel::open()?;
            let report = operation::attach(&mut kernel, &context, &event, deadline)?;
            kubelet.taken(&event.networks);
            Ok(report.driving())
        });
        done.await
    }

    /// What a container of a pod that has everything is told.
    async fn told(&self, call: &Call, id: SandboxId, tell: Tell) -> Result<Told, String> {
        let (context, deadline) = (self.pods.context(), by(call));
        let done = blocking(move || {
            operation::tell(&mut LinuxKernel::open()?, &context, &id, tell, deadline)
        });
        done.await
    }

    /// Looks after pods that the runtime has and that should have been attached before it told of them. It waits with every
    /// event until it is answered, so this goes on by itself.
    fn catch_up(&self, pods: Vec<PodSandbox>, containers: Vec<Container>) {
        let known = Arc::clone(&self.pods);
        task::spawn(async move {
            let (listed, context) =
                (missed::listed(&known, &pods, &containers).await, known.context());
            let done = blocking(move || {
                let mut kernel = LinuxKernel::open()?;
                let (is_there, deadline) =
                    (|id: &SandboxId| known.has(id), Deadline::after(CATCHING_UP));
                operation::catch_up(&mut kernel, &context, &listed, is_there, deadline)
            });
            if let Err(reason) = done.await {
                tracing::error!(reason, "pods that were missed were not looked at");
            }
        });
    }

    async fn detach(&self, pod: &PodSandbox) {
        self.pods.ends(&pod.id);
        let Ok(id) = pod.id.parse::<SandboxId>() else { return };
        let context = self.pods.context();
        let deadline = Deadline::after(RECORDING);
        if let Err(error) = operation::forget_missed(&context, &id, deadline) {
            tracing::warn!(%error, "status tells of a pod that is gone");
        }
        if !context.leases.is_taken(&Claim::Id(id.clone())) {
            return;
        }
        let (tell, told) = oneshot::channel();
        let done = blocking(move || {
            let mut kernel = LinuxKernel::open()?;
            let (which, deadline) = (Which::Id(id), Deadline::after(TAKING_BACK));
            // Nobody listens where the runtime gave up.
            let tell = move || tell.send(()).unwrap_or(());
            operation::detach_telling(&mut kernel, &context, &which, deadline, tell).map(drop)
        });
        let (name, namespace) = (quote(&pod.name), quote(&pod.namespace));
        let kubelet = self.pods.kubelet();
        task::spawn(async move {
            if let Err(reason) = done.await {
                tracing::error!(pod = %name, %namespace, reason, "not all was taken back");
            }
            kubelet.given_back();
        });
        // Told, or over: then nobody is left to tell.
        let _ = told.await;
    }
}

impl<N: Node> Plugin for NriPlugin<N> {
    fn events(&self) -> EventSet {
        EventSet::of(&[
            Event::RunPodSandbox,
            Event::StopPodSandbox,
            Event::RemovePodSandbox,
            Event::CreateContainer,
        ])
    }

    fn failure_policy(&self) -> FailurePolicy {
        self.pods.unanswered()
    }

    async fn configure(&self, _: &Call, runtime: &RuntimeInfo) -> Result<(), Refusal> {
        self.node.configured(&runtime.config).map_err(|reason| {
            tracing::error!(reason, "not serving");
            Refusal::new(reason)
        })?;
        self.pods.introduced(runtime);
        Ok(())
    }

    async fn synchronize(
        &self,
        _: &Call,
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        self.pods.are(&pods);
        self.catch_up(pods, containers);
        self.node.synchronized();
        Ok(Vec::new())
    }

    async fn run_pod_sandbox(&self, call: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        self.pods.begins(&pod.id);
        let attached = match self.pods.event(&pod).await {
            Ok(None) => return Ok(()),
            Ok(Some(event)) => {
                let attached = self.attach(call, event).await.map(drop);
                self.node.answered(call.time_left());
                attached
            }
            Err(refused) => Err(refused.to_string()),
        };
        let Err(reason) = attached else { return Ok(()) };
        let (name, namespace) = (quote(&pod.name), quote(&pod.namespace));
        tracing::warn!(pod = %name, %namespace, reason, "not attached");
        // Where refusing here harms the runtime, its containers are refused instead.
        if self.pods.may_refuse_sandboxes() { Err(Refusal::new(reason)) } else { Ok(()) }
    }

    async fn create_container(
        &self,
        call: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Creation, Refusal> {
        // A pod that was being run while the runtime introduced itself was told of neither as there nor as new.
        self.pods.begins(&pod.id);
        // Attaching finds that it is there, or is the second try: for a pod whose sandbox ran before we were, or got nothing.
        let event = match self.pods.event(&pod).await {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(Creation::default()),
            Err(refused) => return Err(Refusal::new(refused)),
        };
        let tell = request::tell(&pod.annotations, self.pods.context().config.tell);
        let tell = tell.map_err(|error| Refusal::new(format!("vfhook: {error}")))?;
        let id = event.id.clone();
        let driving = self.attach(call, event).await.map_err(Refusal::new)?;
        let told = if tell.is_nothing() {
            Told::default()
        } else {
            self.told(call, id, tell).await.map_err(Refusal::new)?
        };
        Ok(adjustment::creation(told, driving, &container.rlimits))
    }

    async fn stop_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        self.detach(&pod).await;
        Ok(())
    }

    async fn remove_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        self.detach(&pod).await;
        Ok(())
    }

    fn late(&self, call: &Call) -> Result<(), Refusal> {
        let reason = || {
            Refusal::new(format!(
                "vfhook did not finish within {} ms; it is tried again",
                call.budget().time().as_millis()
            ))
        };
        match call.work() {
            Work::Event { event: Event::CreateContainer, .. } => Err(reason()),
            Work::Event { event: Event::RunPodSandbox, .. } => {
                self.node.answered(Duration::ZERO);
                if self.pods.may_refuse_sandboxes() { Err(reason()) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}

/// By when what the runtime waits for must have ended.
fn by(call: &Call) -> Deadline {
    Deadline::after(call.time_left().saturating_sub(TO_ANSWER))
}

/// Runs an operation where it may block. The handler that awaits it may be dropped; the operation goes on to its end.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OperationError> + Send + 'static,
) -> Result<T, String> {
    match task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| format!("vfhook: {}", with_causes(&error))),
        Err(error) => Err(error.to_string()),
    }
}
