//! Calls the runtime: registers the plugin, updates containers. Turns each failure into its own
//! error; decides nothing about the session.

use std::fmt;
use std::time::Duration;

use protobuf::Message;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use ttrpc::asynchronous::transport::Socket;
use ttrpc::context;

use crate::error::CallError;
use crate::identity::Identity;
use crate::reply;
use crate::update::ContainerUpdate;
use crate::wire::nri as wire;
use crate::wire::nri_ttrpc::RuntimeClient;

/// The version of NRI whose messages this crate speaks.
const NRI_VERSION: &str = "v0.12.0";

/// The runtime may be in the middle of an event, and serves an update only after it.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls the runtime over one connection.
#[derive(Clone)]
pub(super) struct Client {
    runtime: RuntimeClient,
    broken: mpsc::Sender<CallError>,
}

impl Client {
    /// A client, and where it tells of answers that make no sense.
    pub(super) fn over(connection: DuplexStream) -> (Self, mpsc::Receiver<CallError>) {
        let (broken, breaks) = mpsc::channel(1);
        let runtime = RuntimeClient::new(ttrpc::asynchronous::Client::new(Socket::new(connection)));
        (Self { runtime, broken }, breaks)
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
        let call = self.runtime.register_plugin(context::with_duration(wait), &request);
        self.within(wait, call).await?;
        Ok(())
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
        let context = context::with_duration(UPDATE_TIMEOUT);
        let call = self.runtime.update_containers(context, &request);
        let response = self.within(UPDATE_TIMEOUT, call).await?;
        Ok(response.failed.into_iter().map(ContainerUpdate::from).collect())
    }

    async fn within<T>(
        &self,
        wait: Duration,
        call: impl Future<Output = ttrpc::Result<T>>,
    ) -> Result<T, CallError> {
        let began = Instant::now();
        let timed_out = CallError::Timeout { waited: wait };
        match timeout(wait, call).await {
            Ok(Ok(answer)) => Ok(answer),
            // ttrpc keeps the same deadline and reports it as any other error.
            Ok(Err(_)) | Err(_) if began.elapsed() >= wait => Err(timed_out),
            Ok(Err(error)) => Err(self.sort(error)),
            Err(_elapsed) => Err(timed_out),
        }
    }

    fn sort(&self, error: ttrpc::Error) -> CallError {
        match error {
            ttrpc::Error::RpcStatus(status) => {
                CallError::Refused { code: status.code.value(), message: status.message }
            }
            ttrpc::Error::Others(detail) => {
                let undecodable = CallError::Undecodable { detail };
                // If another one is told already, the session ends for that.
                let _ = self.broken.try_send(undecodable.clone());
                undecodable
            }
            _ => CallError::Disconnected,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
