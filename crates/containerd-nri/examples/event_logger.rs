//! Logs the life of every pod and container of a node, and changes nothing.
//!
//! Run it as root beside a runtime with NRI enabled, with the runtime's socket as argument if it
//! is not the usual one; or install it as `/opt/nri/plugins/10-event-logger`, and the runtime
//! launches it.

use std::env;
use std::error::Error;

use containerd_nri::{
    Call, Container, ContainerUpdate, Creation, Event, EventSet, Handle, Identity, Launch, Plugin,
    PodSandbox, Refusal, RuntimeInfo, Session, State,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let socket = env::args().nth(1).unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    let identity = Identity::new("event-logger", "10")?;
    let session = Session::new(identity, Launch::detect(socket)?, EventLogger);
    tokio::spawn(log_states(session.handle()));
    tokio::spawn(stop_on_signal(session.handle()));
    session.run().await?;
    Ok(())
}

struct EventLogger;

impl Plugin for EventLogger {
    fn events(&self) -> EventSet {
        EventSet::of(Event::ALL)
    }

    async fn configure(&self, _: &Call, runtime: &RuntimeInfo) -> Result<(), Refusal> {
        let (name, version) = (&runtime.name, &runtime.version);
        info!(name, %version, budget = ?runtime.budget().time(), "runtime");
        Ok(())
    }

    async fn synchronize(
        &self,
        _: &Call,
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        info!(pods = pods.len(), containers = containers.len(), "existing");
        for pod in pods {
            log_pod("existing", &pod);
        }
        Ok(Vec::new())
    }

    async fn run_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        log_pod("RunPodSandbox", &pod);
        Ok(())
    }

    async fn stop_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        log_pod("StopPodSandbox", &pod);
        Ok(())
    }

    async fn remove_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        log_pod("RemovePodSandbox", &pod);
        Ok(())
    }

    async fn create_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Creation, Refusal> {
        log_container("CreateContainer", &pod, &container);
        Ok(Creation::default())
    }

    async fn post_create_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<(), Refusal> {
        log_container("PostCreateContainer", &pod, &container);
        Ok(())
    }

    async fn start_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<(), Refusal> {
        log_container("StartContainer", &pod, &container);
        Ok(())
    }

    async fn post_start_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<(), Refusal> {
        log_container("PostStartContainer", &pod, &container);
        Ok(())
    }

    async fn stop_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        log_container("StopContainer", &pod, &container);
        Ok(Vec::new())
    }

    async fn remove_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<(), Refusal> {
        log_container("RemoveContainer", &pod, &container);
        Ok(())
    }
}

fn log_pod(event: &str, pod: &PodSandbox) {
    let network = pod.namespace_of_type("network").map(|namespace| namespace.path.as_str());
    let PodSandbox { id, name, namespace, pid, ips, .. } = pod;
    info!(event, namespace, name, id, pid, network, ?ips, "pod");
}

fn log_container(event: &str, pod: &PodSandbox, container: &Container) {
    let Container { id, name, state, .. } = container;
    info!(event, pod = pod.name, name, id, ?state, "container");
}

async fn log_states(handle: Handle) {
    let mut states = handle.watch();
    while states.changed().await.is_ok() {
        let state = states.borrow_and_update().clone();
        // The session itself says why a connection was lost.
        if !matches!(state, State::Lost { .. }) {
            info!(phase = %state.phase(), "session");
        }
    }
}

async fn stop_on_signal(handle: Handle) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    handle.stop();
}
