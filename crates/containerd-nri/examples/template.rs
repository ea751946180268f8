//! A plugin to begin with: every handler, each agreeing to everything. Leave out what you do not need, in `events` too.

use std::error::Error;

use containerd_nri::{
    Call, Container, ContainerUpdate, Creation, EventSet, Identity, Launch, Plugin, PodSandbox,
    PodUpdate, Refusal, Resources, RuntimeInfo, Session,
};

struct Template;

impl Plugin for Template {
    fn events(&self) -> EventSet {
        EventSet::LIFE
    }

    async fn configure(&self, _: &Call, _runtime: &RuntimeInfo) -> Result<(), Refusal> {
        Ok(())
    }

    async fn synchronize(
        &self,
        _: &Call,
        _pods: Vec<PodSandbox>,
        _containers: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        Ok(Vec::new())
    }

    async fn shutdown(&self, _: &Call) {}

    async fn run_pod_sandbox(&self, _: &Call, _pod: PodSandbox) -> Result<(), Refusal> {
        Ok(())
    }

    async fn update_pod_sandbox(
        &self,
        _: &Call,
        _: PodSandbox,
        _update: PodUpdate,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    async fn post_update_pod_sandbox(&self, _: &Call, _pod: PodSandbox) -> Result<(), Refusal> {
        Ok(())
    }

    async fn stop_pod_sandbox(&self, _: &Call, _pod: PodSandbox) -> Result<(), Refusal> {
        Ok(())
    }

    async fn remove_pod_sandbox(&self, _: &Call, _pod: PodSandbox) -> Result<(), Refusal> {
        Ok(())
    }

    async fn create_container(
        &self,
        _: &Call,
        _pod: PodSandbox,
        _container: Container,
    ) -> Result<Creation, Refusal> {
        Ok(Creation::default())
    }

    async fn post_create_container(
        &self,
        _: &Call,
        _: PodSandbox,
        _: Container,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    async fn start_container(&self, _: &Call, _: PodSandbox, _: Container) -> Result<(), Refusal> {
        Ok(())
    }

    async fn post_start_container(
        &self,
        _: &Call,
        _: PodSandbox,
        _: Container,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    async fn update_container(
        &self,
        _: &Call,
        _pod: PodSandbox,
        _container: Container,
        _resources: Resources,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        Ok(Vec::new())
    }

    async fn post_update_container(
        &self,
        _: &Call,
        _: PodSandbox,
        _: Container,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    async fn stop_container(
        &self,
        _: &Call,
        _pod: PodSandbox,
        _container: Container,
    ) -> Result<Vec<ContainerUpdate>, Refusal> {
        Ok(Vec::new())
    }

    async fn remove_container(&self, _: &Call, _: PodSandbox, _: Container) -> Result<(), Refusal> {
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let socket = std::env::args().nth(1).unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    let identity = Identity::new("template", "10")?;
    Ok(Session::new(identity, Launch::detect(socket)?, Template).run().await?)
}
