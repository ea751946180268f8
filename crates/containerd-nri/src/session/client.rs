//! Calls the runtime: registers the plugin, updates containers. Turns each failure into its own
//! error; decides nothing about the session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use protobuf::Message;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::caller::Caller;
use crate::error::CallError;
use crate::identity::Identity;
use crate::reply;
use crate::update::ContainerUpdate;
use crate::wire::nri as wire;

/// The version of NRI whose messages this crate speaks.
const NRI_VERSION: &str = "v0.12.5";

/// The runtime may be in the middle of an event, and serves an update only after it.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls the runtime over one connection.
#[derive(Clone)]
pub(super) struct Client {
    runtime: Arc<Caller>,
    broken: mpsc::Sender<CallError>,
}

impl Client {
    /// A client, and where it tells of answers that make no sense.
    pub(super) fn over(connection: DuplexStream) -> (Self, mpsc::Receiver<CallError>) {
        let (broken, breaks) = mpsc::channel(1);
        (Self { runtime: Arc::new(Caller::over(connection)), broken }, breaks)
    }

    pub(super) async fn register(
        &self,
        identity: &Identity,
        wait: Duration,
    ) -> Result<(), CallError> {
        let request = wire::RegisterPluginRequest {
            plugin_name: identity.name().to_owned(),
            plugin_index: identity.index().to_owned(),
            nri_version: NRI_VERSION.to_owned(),
            ..wire::RegisterPluginRequest::default()
        };
        self.call::<wire::Empty>("RegisterPlugin", &request, wait).await.map(drop)
    }

    pub(super) async fn update_containers(
        &self,
        updates: Vec<ContainerUpdate>,
    ) -> Result<Vec<ContainerUpdate>, CallError> {
        let request = wire::UpdateContainersRequest {
            updates: updates.into_iter().map(wire::ContainerUpdate::from).collect(),
            ..wire::UpdateContainersRequest::default()
        };
        let length = usize::try_from(request.compute_size()).unwrap_or(usize::MAX);
        if length > reply::LONGEST {
            return Err(CallError::TooLong { length, longest: reply::LONGEST });
        }
        let response: wire::UpdateContainersResponse =
            self.call("UpdateContainers", &request, UPDATE_TIMEOUT).await?;
        Ok(response.failed.into_iter().map(ContainerUpdate::from).collect())
    }

    async fn call<A: Message>(
        &self,
        method: &str,
        request: &impl Message,
        wait: Duration,
    ) -> Result<A, CallError> {
        let call = self.runtime.call(method, request, wait);
        let answer = timeout(wait, call).await.unwrap_or(Err(CallError::Timeout { waited: wait }));
        if let Err(undecodable @ CallError::Undecodable { .. }) = &answer {
            // If another one is told already, the session ends for that.
            let _ = self.broken.try_send(undecodable.clone());
        }
        answer
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
