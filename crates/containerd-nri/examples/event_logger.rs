//! Logs the life of every pod and container of a node, and changes nothing. With `whole` after the socket it also prints all that
//! it is told, a line of JSON for each event.
//!
//! Run it as root beside a runtime with NRI enabled, with the runtime's socket as argument if it
//! is not the usual one; or install it as `/opt/nri/plugins/10-event-logger`, and the runtime
//! launches it.

use std::env;
use std::error::Error;
use std::io::{Write, stdout};

use containerd_nri::{
    Call, Container, ContainerUpdate, Creation, Event, EventSet, Handle, Identity, Launch, Plugin,
    PodSandbox, PodUpdate, Refusal, Resources, RuntimeInfo, Session, State,
};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let mut arguments = env::args().skip(1);
    let socket = arguments.next().unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    let plugin = EventLogger { whole: arguments.next().is_some_and(|word| word == "whole") };
    let identity = Identity::new("event-logger", "10")?;
    let session = Session::new(identity, Launch::detect(socket)?, plugin);
    tokio::spawn(log_states(session.handle()));
    tokio::spawn(stop_on_signal(session.handle()));
    session.run().await?;
    Ok(())
}

struct EventLogger {
    whole: bool,
}

/// Handlers that log and agree.
macro_rules! logs {
    ($($handler:ident($($container:ident)?) -> $answer:ty = $event:ident;)+) => {$(
        async fn $handler(&self, _: &Call, pod: PodSandbox $(, $container: Container)?) -> Result<$answer, Refusal> {
            self.log(Event::$event, &pod, logs!(@ $($container)?));
            Ok(<$answer>::default())
        }
    )+};
    (@) => { None };
    (@ $container:ident) => { Some(&$container) };
}

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
        Ok(Vec::new())
    }

    logs! {
        run_pod_sandbox() -> () = RunPodSandbox;
        post_update_pod_sandbox() -> () = PostUpdatePodSandbox;
        stop_pod_sandbox() -> () = StopPodSandbox;
        remove_pod_sandbox() -> () = RemovePodSandbox;
        create_container(container) -> Creation = CreateContainer;
        post_create_container(container) -> () = PostCreateContainer;
        start_container(container) -> () = StartContainer;
        post_start_container(container) -> () = PostStartContainer;
        post_update_container(container) -> () = PostUpdateContainer;
        stop_container(container) -> Vec<ContainerUpdate> = StopContainer;
        remove_container(container) -> () = RemoveContainer;
    }

    async fn update_pod_sandbox(
        &self,
        _: &Call,
        pod: PodSandbox,
        _: PodUpdate,
    ) -> Result<(), Refusal> {
        self.log(Event::UpdatePodSandbox, &pod, None);
        Ok(())
    }

    async fn update_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
        _: Resources,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        self.log(Event::UpdateContainer, &pod, Some(&container));
        Ok(Vec::new())
    }
}

impl EventLogger {
    fn log(&self, event: Event, pod: &PodSandbox, container: Option<&Container>) {
        let network = pod.namespace_of_type("network").map(|namespace| namespace.path.as_str());
        let PodSandbox { id, name, namespace, pid, ips, .. } = pod;
        if let Some(Container { id, name: own, state, .. }) = container {
            info!(event = event.name(), pod = name, name = own, id, ?state, "container");
        } else {
            info!(event = event.name(), namespace, name, id, pid, network, ?ips, "pod");
        }
        if self.whole {
            let told = json!({"event": event, "pod": pod, "container": container});
            // Who reads it may be gone.
            let _ = writeln!(stdout(), "{told}");
        }
    }
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
