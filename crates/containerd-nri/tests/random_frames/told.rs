//! The plugin that hears a random conversation. Knows nothing of frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use containerd_nri::{
    Call, Container, ContainerUpdate, Creation, Event, EventSet, Plugin, PodSandbox, PodUpdate,
    Refusal, Resources, RuntimeInfo,
};
use tokio::time::timeout;

use super::PATIENCE;

/// Counts what it is told, and looks whether it says of what.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<AtomicUsize>);

impl Told {
    fn hear(&self, id: &str) -> Result<(), Refusal> {
        assert!(!id.is_empty(), "an event of nothing");
        self.0.fetch_add(1, Ordering::SeqCst);
        if id.len() % 7 == 0 { Err(Refusal::new("no")) } else { Ok(()) }
    }

    /// Waits until it was told of so many.
    pub(crate) async fn heard(&self, events: usize) {
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
