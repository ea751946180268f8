//! One plugin as the runtime sees it: takes it through the handshake, step by step. Keeps the
//! rules of the Go side; the calls for events are in their own file.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use ttrpc::asynchronous::Client;
use ttrpc::asynchronous::transport::Socket;
use ttrpc::context;

use super::profile::Profile;
use super::registration::{self, Registration, Requests};
use super::trunk::{self, Breakage, Control, GoTrunk};
use crate::container::Container;
use crate::event_set::EventSet;
use crate::failure_policy::FailurePolicy;
use crate::pod::PodSandbox;
use crate::update::ContainerUpdate;
use crate::wire::nri as wire;
use crate::wire::nri_ttrpc::PluginClient;

/// A connected plugin. Dropping it closes the connection, as a runtime does that dies.
pub struct Peer {
    pub(super) profile: Profile,
    pub(super) plugin: PluginClient,
    pub(super) subscribed: EventSet,
    pub(super) only_state_change: bool,
    /// What the plugin asks for in case that it does not answer, as far as the version knows it.
    pub(super) policy: FailurePolicy,
    requests: Requests,
    control: Control,
}

/// Why a step of the handshake failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The plugin closed the connection.
    #[error("the plugin closed the connection")]
    Closed,
    /// The plugin sent what a Go runtime cannot take.
    #[error("the plugin broke a limit of the runtime")]
    Broke(#[from] Breakage),
    /// The plugin did not answer in time.
    #[error("the plugin did not answer {step} within {waited:?}")]
    Late {
        /// The step.
        step: &'static str,
        /// How long the runtime waited.
        waited: Duration,
    },
    /// The plugin answered with an error.
    #[error("the plugin refused {step}: {message}")]
    Refused {
        /// The step.
        step: &'static str,
        /// Its words.
        message: String,
    },
    /// The plugin subscribed to an event this version does not know.
    #[error("invalid plugin events: {bits:#x}")]
    InvalidEvents {
        /// The bits that are too many.
        bits: i32,
    },
    /// The plugin did not take a part of a synchronization for a part.
    #[error("plugin does not handle split sync requests")]
    NoParts,
}

impl Peer {
    /// Takes the runtime's end of a connection to a plugin.
    ///
    /// It must be called in a tokio runtime.
    pub fn over<T>(trunk: T, profile: Profile) -> Self
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        let GoTrunk { plugin, runtime, control } = trunk::open(trunk);
        let requests = registration::serve(runtime);
        let plugin = PluginClient::new(Client::new(Socket::new(plugin)));
        let subscribed = EventSet::EMPTY;
        let only_state_change = !profile.nri.has_dedicated_calls();
        let policy = FailurePolicy::OPEN;
        Self { profile, plugin, subscribed, only_state_change, policy, requests, control }
    }

    /// Takes the plugin through the whole handshake; these exist.
    pub async fn introduce(
        &mut self,
        pods: &[PodSandbox],
        containers: &[Container],
    ) -> Result<Vec<ContainerUpdate>, PeerError> {
        self.register().await?.accept();
        self.configure().await?;
        self.synchronize(pods, containers).await
    }

    /// Waits for the plugin's registration; the answer to it is up to the test.
    pub async fn register(&mut self) -> Result<Registration, PeerError> {
        let waited = self.profile.registration_timeout;
        tokio::select! {
            registration = timeout(waited, self.requests.registrations.recv()) => match registration {
                Ok(Some(registration)) => Ok(registration),
                Ok(None) => Err(PeerError::Closed),
                Err(_elapsed) => Err(PeerError::Late { step: "registration", waited }),
            },
            () = self.control.ended() => Err(self.gone()),
        }
    }

    /// Configures the plugin; gives what it subscribed to.
    pub async fn configure(&mut self) -> Result<EventSet, PeerError> {
        let Profile { nri, registration_timeout, request_timeout, .. } = self.profile;
        let millis = |time: Duration| {
            if nri.tells_timeouts() { i64::try_from(time.as_millis()).unwrap_or(0) } else { 0 }
        };
        let request = wire::ConfigureRequest {
            config: self.profile.config.clone(),
            runtime_name: self.profile.name.clone(),
            runtime_version: self.profile.version.clone(),
            registration_timeout_ms: millis(registration_timeout),
            request_timeout_ms: millis(request_timeout),
            nri_version: nri.told().to_owned(),
            ..wire::ConfigureRequest::default()
        };
        let plugin = self.plugin.clone();
        let call = plugin.configure(context::with_duration(request_timeout), &request);
        let response = self.step("Configure", request_timeout, call).await?;
        let bits = response.events & !nri.valid_bits();
        if bits != 0 {
            self.close();
            return Err(PeerError::InvalidEvents { bits });
        }
        if let Some(policy) =
            response.failure_policy.into_option().filter(|_| nri.honors_failure_policy())
        {
            self.policy.fail_request = policy.fail_request;
            self.policy.keep_connected = policy.keep_connected;
        }
        self.subscribed = match response.events {
            0 => nri.events(),
            bits => EventSet::from_bits(bits),
        };
        Ok(self.subscribed)
    }

    /// Tells the plugin that these exist.
    pub async fn synchronize(
        &mut self,
        pods: &[PodSandbox],
        containers: &[Container],
    ) -> Result<Vec<ContainerUpdate>, PeerError> {
        self.synchronize_in_parts(&[(pods, containers)]).await
    }

    /// Tells the plugin that these exist, part by part, as a runtime does with what does not fit
    /// into one message. All parts together have one deadline.
    pub async fn synchronize_in_parts(
        &mut self,
        parts: &[(&[PodSandbox], &[Container])],
    ) -> Result<Vec<ContainerUpdate>, PeerError> {
        let deadline = Instant::now() + self.profile.request_timeout;
        let mut updates = Vec::new();
        for (at, (pods, containers)) in parts.iter().enumerate() {
            let more = at + 1 < parts.len();
            let left = deadline.saturating_duration_since(Instant::now());
            updates.extend(self.part(pods, containers, more, left).await?);
        }
        Ok(updates)
    }

    /// Tells the plugin a part of what exists, which is not the last.
    pub async fn synchronize_part(
        &mut self,
        pods: &[PodSandbox],
        containers: &[Container],
    ) -> Result<(), PeerError> {
        self.part(pods, containers, true, self.profile.request_timeout).await?;
        Ok(())
    }

    async fn part(
        &mut self,
        pods: &[PodSandbox],
        containers: &[Container],
        more: bool,
        left: Duration,
    ) -> Result<Vec<ContainerUpdate>, PeerError> {
        let request = wire::SynchronizeRequest {
            pods: pods.iter().map(|pod| self.tell_pod(pod)).collect(),
            containers: containers.iter().cloned().map(wire::Container::from).collect(),
            more,
            ..wire::SynchronizeRequest::default()
        };
        let plugin = self.plugin.clone();
        let call = plugin.synchronize(context::with_duration(left), &request);
        let response = self.step("Synchronize", left, call).await?;
        if more && (!response.more || !response.updates.is_empty()) {
            self.close();
            return Err(PeerError::NoParts);
        }
        Ok(response.updates.into_iter().map(ContainerUpdate::from).collect())
    }

    /// The next update of containers the plugin asked for; none once the connection is closed.
    pub async fn next_update(&mut self) -> Option<Vec<ContainerUpdate>> {
        self.requests.updates.recv().await
    }

    /// Sends bytes to the plugin as they are, between two frames.
    pub async fn send_raw(&self, bytes: &[u8]) {
        self.control.send_raw(bytes.to_vec()).await;
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.control.close();
    }

    /// Waits until the connection is closed, and tells if the plugin broke a limit.
    pub async fn closed(&mut self) -> Option<Breakage> {
        self.control.ended().await;
        self.control.breakage()
    }

    /// Whether events go by `StateChange`: the version has nothing else, or the plugin lacked one
    /// of the dedicated calls.
    pub fn uses_state_change(&self) -> bool {
        self.only_state_change
    }

    /// The longest frame the plugin sent, without its header.
    pub fn longest_frame(&self) -> usize {
        self.control.longest_frame()
    }

    /// The runtime's side of a pod; old versions leave things out.
    pub(super) fn tell_pod(&self, pod: &PodSandbox) -> wire::PodSandbox {
        let mut pod = wire::PodSandbox::from(pod.clone());
        if !self.profile.nri.tells_ips() {
            pod.ips.clear();
        }
        pod
    }

    /// A step that fails is the plugin's last.
    async fn step<T>(
        &mut self,
        step: &'static str,
        waited: Duration,
        call: impl Future<Output = ttrpc::Result<T>>,
    ) -> Result<T, PeerError> {
        let began = Instant::now();
        let error = match timeout(waited, call).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(ttrpc::Error::RpcStatus(status))) => {
                PeerError::Refused { step, message: status.message }
            }
            Ok(Err(_)) if began.elapsed() < waited => self.gone(),
            Ok(Err(_)) | Err(_) => PeerError::Late { step, waited },
        };
        self.close();
        Err(error)
    }

    fn gone(&self) -> PeerError {
        self.control.breakage().map_or(PeerError::Closed, PeerError::Broke)
    }
}
