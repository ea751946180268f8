//! Events as a runtime calls them: with the call its version has, for as long as it waits, and as
//! if the plugin had agreed when that was in vain.

use tokio::time::{Instant, timeout};
use ttrpc::{Code, context};

use super::peer::Peer;
use crate::adjustment::{ContainerAdjustment, Creation};
use crate::container::Container;
use crate::event::Event;
use crate::pod::{PodSandbox, PodUpdate};
use crate::resources::Resources;
use crate::update::ContainerUpdate;
use crate::wire::{nri as wire, present};

/// What came of an event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome<T> {
    /// The plugin answered.
    Answered(T),
    /// The plugin refused.
    Refused {
        /// The status code.
        code: i32,
        /// The plugin's reason.
        reason: String,
    },
    /// The plugin was late or gone. The runtime closed the connection and goes on as if the
    /// plugin had agreed.
    FailedOpen,
    /// The plugin was late or gone, and had asked for this: the runtime does not do what it was about to. After an answer
    /// that was late the connection lives on if the plugin asked for that, too.
    FailedClosed,
    /// The plugin did not subscribe to this event, so it was not called.
    NotSubscribed,
}

impl<T> Outcome<T> {
    /// The plugin's answer, if it agreed.
    pub fn answer(self) -> Option<T> {
        match self {
            Self::Answered(answer) => Some(answer),
            _ => None,
        }
    }

    /// The plugin's reason, if it refused.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }

    fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Answered(answer) => Outcome::Answered(change(answer)),
            Self::Refused { code, reason } => Outcome::Refused { code, reason },
            Self::FailedOpen => Outcome::FailedOpen,
            Self::FailedClosed => Outcome::FailedClosed,
            Self::NotSubscribed => Outcome::NotSubscribed,
        }
    }

    fn unimplemented(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == Code::UNIMPLEMENTED as i32)
    }
}

impl Peer {
    /// An event of a pod that carries nothing but the pod.
    pub async fn pod_event(&mut self, event: Event, pod: &PodSandbox) -> Outcome<()> {
        let pod = self.tell_pod(pod);
        self.notify(event, pod, None).await
    }

    /// An event of a container that carries nothing but the pod and the container.
    pub async fn container_event(
        &mut self,
        event: Event,
        pod: &PodSandbox,
        container: &Container,
    ) -> Outcome<()> {
        let pod = self.tell_pod(pod);
        self.notify(event, pod, Some(container.clone().into())).await
    }

    /// The creation of a container.
    pub async fn create_container(
        &mut self,
        pod: &PodSandbox,
        container: &Container,
    ) -> Outcome<Creation> {
        let request = wire::CreateContainerRequest {
            pod: Some(self.tell_pod(pod)).into(),
            container: Some(container.clone().into()).into(),
            ..wire::CreateContainerRequest::default()
        };
        let (plugin, context) = (self.plugin.clone(), self.context());
        let call = plugin.create_container(context, &request);
        self.call(Event::CreateContainer, call).await.map(Creation::from)
    }

    /// The whole of what plugins asked of a container about to be created, for this one to judge. Who asked for what is not
    /// told. A rejection is a refusal.
    pub async fn validate_container_adjustment(
        &mut self,
        pod: &PodSandbox,
        container: &Container,
        adjustment: &ContainerAdjustment,
    ) -> Outcome<()> {
        let request = wire::ValidationRequest {
            pod: Some(self.tell_pod(pod)).into(),
            container: Some(container.clone().into()).into(),
            adjust: present(adjustment.clone().into()),
            ..wire::ValidationRequest::default()
        };
        let (plugin, context) = (self.plugin.clone(), self.context());
        let call = plugin.validate_container_adjustment(context, &request);
        match self.call(Event::ValidateContainerAdjustment, call).await {
            Outcome::Answered(verdict) if verdict.reject => {
                Outcome::Refused { code: Code::OK as i32, reason: verdict.reason }
            }
            outcome => outcome.map(drop),
        }
    }

    /// A change of a pod's resources.
    pub async fn update_pod_sandbox(
        &mut self,
        pod: &PodSandbox,
        update: &PodUpdate,
    ) -> Outcome<()> {
        let request = wire::UpdatePodSandboxRequest {
            pod: Some(self.tell_pod(pod)).into(),
            overhead: present(update.overhead.clone().into()),
            resources: present(update.resources.clone().into()),
            ..wire::UpdatePodSandboxRequest::default()
        };
        let (plugin, context) = (self.plugin.clone(), self.context());
        let call = plugin.update_pod_sandbox(context, &request);
        self.call(Event::UpdatePodSandbox, call).await.map(drop)
    }

    /// A change of a container's resources.
    pub async fn update_container(
        &mut self,
        pod: &PodSandbox,
        container: &Container,
        resources: &Resources,
    ) -> Outcome<Vec<ContainerUpdate>> {
        let request = wire::UpdateContainerRequest {
            pod: Some(self.tell_pod(pod)).into(),
            container: Some(container.clone().into()).into(),
            resources: present(resources.clone().into()),
            ..wire::UpdateContainerRequest::default()
        };
        let (plugin, context) = (self.plugin.clone(), self.context());
        let call = plugin.update_container(context, &request);
        self.call(Event::UpdateContainer, call).await.map(|response| updates(response.updates))
    }

    /// A stop of a container.
    pub async fn stop_container(
        &mut self,
        pod: &PodSandbox,
        container: &Container,
    ) -> Outcome<Vec<ContainerUpdate>> {
        let request = wire::StopContainerRequest {
            pod: Some(self.tell_pod(pod)).into(),
            container: Some(container.clone().into()).into(),
            ..wire::StopContainerRequest::default()
        };
        let (plugin, context) = (self.plugin.clone(), self.context());
        let call = plugin.stop_container(context, &request);
        self.call(Event::StopContainer, call).await.map(|response| updates(response.updates))
    }

    /// Tells the plugin that the runtime is about to stop.
    pub async fn shutdown(&mut self) -> bool {
        let (plugin, context) = (self.plugin.clone(), self.context());
        plugin.shutdown(context, &wire::Empty::new()).await.is_ok()
    }

    /// Calls the event's own method, and `StateChange` if the plugin has none; from then on, only
    /// that.
    async fn notify(
        &mut self,
        event: Event,
        pod: wire::PodSandbox,
        container: Option<wire::Container>,
    ) -> Outcome<()> {
        if !self.only_state_change {
            let outcome = self.dedicated(event, pod.clone(), container.clone()).await;
            if !outcome.unimplemented() {
                return outcome;
            }
            self.only_state_change = true;
        }
        let change = wire::StateChangeEvent {
            event: event.number(),
            pod: Some(pod).into(),
            container: container.into(),
            ..wire::StateChangeEvent::default()
        };
        let (plugin, context) = (self.plugin.clone(), self.context());
        let call = plugin.state_change(context, &change);
        self.call(event, call).await.map(drop)
    }

    async fn dedicated(
        &mut self,
        event: Event,
        pod: wire::PodSandbox,
        container: Option<wire::Container>,
    ) -> Outcome<()> {
        let (plugin, context) = (self.plugin.clone(), self.context());
        let of_pod = wire::PodRequest { pod: Some(pod.clone()).into(), ..Default::default() };
        let of_container = wire::ContainerRequest {
            pod: Some(pod).into(),
            container: container.into(),
            ..Default::default()
        };
        let call = async {
            match event {
                Event::RunPodSandbox => plugin.run_pod_sandbox(context, &of_pod).await,
                Event::StopPodSandbox => plugin.stop_pod_sandbox(context, &of_pod).await,
                Event::RemovePodSandbox => plugin.remove_pod_sandbox(context, &of_pod).await,
                Event::PostUpdatePodSandbox => {
                    plugin.post_update_pod_sandbox(context, &of_pod).await
                }
                Event::PostCreateContainer => {
                    plugin.post_create_container(context, &of_container).await
                }
                Event::StartContainer => plugin.start_container(context, &of_container).await,
                Event::PostStartContainer => {
                    plugin.post_start_container(context, &of_container).await
                }
                Event::PostUpdateContainer => {
                    plugin.post_update_container(context, &of_container).await
                }
                Event::RemoveContainer => plugin.remove_container(context, &of_container).await,
                other => Err(ttrpc::Error::Others(format!("{other} has a method of its own here"))),
            }
        };
        self.call(event, call).await.map(drop)
    }

    async fn call<T>(
        &mut self,
        event: Event,
        call: impl Future<Output = ttrpc::Result<T>>,
    ) -> Outcome<T> {
        if !self.subscribed.contains(event) {
            return Outcome::NotSubscribed;
        }
        let waits = self.profile.request_timeout;
        let began = Instant::now();
        match timeout(waits, call).await {
            Ok(Ok(answer)) => Outcome::Answered(answer),
            Ok(Err(ttrpc::Error::RpcStatus(status))) if began.elapsed() < waits => {
                Outcome::Refused { code: status.code.value(), reason: status.message }
            }
            Ok(Err(_)) | Err(_) => {
                let is_late = began.elapsed() >= waits;
                if !(is_late && self.policy.keep_connected) {
                    self.close();
                }
                if self.policy.fail_request { Outcome::FailedClosed } else { Outcome::FailedOpen }
            }
        }
    }

    fn context(&self) -> context::Context {
        context::with_duration(self.profile.request_timeout)
    }
}

fn updates(updates: Vec<wire::ContainerUpdate>) -> Vec<ContainerUpdate> {
    updates.into_iter().map(ContainerUpdate::from).collect()
}
