//! The service plugins call: takes registrations and update requests, and lets a test answer.

use protobuf::Message;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, oneshot};
use ttrpc::proto::GenMessage;
use ttrpc::{Code, Request};

use crate::answer::{Answer, Status};
use crate::identity::Identity;
use crate::reply;
use crate::update::ContainerUpdate;
use crate::wire::nri as wire;

/// A plugin's registration, to be answered.
#[derive(Debug)]
pub struct Registration {
    /// The plugin's name.
    pub name: String,
    /// The plugin's index.
    pub index: String,
    /// The version of NRI the plugin says it speaks.
    pub nri_version: String,
    answer: oneshot::Sender<Answer>,
}

impl Registration {
    /// Accepts the plugin.
    pub fn accept(self) {
        // A plugin that went away needs no answer.
        let _ = self.answer.send(Ok(Vec::new()));
    }

    /// Refuses the plugin.
    pub fn refuse(self, reason: impl Into<String>) {
        let _ = self.answer.send(Err(Status::new(Code::UNKNOWN, reason)));
    }
}

/// What the plugin asks for.
pub(super) struct Requests {
    pub(super) registrations: mpsc::Receiver<Registration>,
    pub(super) updates: mpsc::Receiver<Vec<ContainerUpdate>>,
}

/// Serves the plugin on this connection until it ends.
pub(super) fn serve(connection: DuplexStream) -> Requests {
    let (registrations, registrations_in) = mpsc::channel(1);
    let (updates, updates_in) = mpsc::channel(64);
    tokio::spawn(Service { registrations, updates }.run(connection));
    Requests { registrations: registrations_in, updates: updates_in }
}

struct Service {
    registrations: mpsc::Sender<Registration>,
    updates: mpsc::Sender<Vec<ContainerUpdate>>,
}

impl Service {
    async fn run(self, mut connection: DuplexStream) {
        while let Ok(message) = GenMessage::read_from(&mut connection).await {
            let answer = match Request::parse_from_bytes(&message.payload) {
                Ok(request) => self.answer(request).await,
                Err(error) => Err(Status::new(Code::INVALID_ARGUMENT, error.to_string())),
            };
            let bytes = reply::encode(message.header.stream_id, answer);
            if connection.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, request: Request) -> Answer {
        match (request.service.as_str(), request.method.as_str()) {
            ("nri.pkg.api.v1alpha1.Runtime", "RegisterPlugin") => {
                self.register(&request.payload).await
            }
            ("nri.pkg.api.v1alpha1.Runtime", "UpdateContainers") => {
                self.update(&request.payload).await
            }
            (service, method) => {
                let message = format!("no method {method} of service {service}");
                Err(Status::new(Code::UNIMPLEMENTED, message))
            }
        }
    }

    async fn register(&self, payload: &[u8]) -> Answer {
        let request = wire::RegisterPluginRequest::parse_from_bytes(payload).map_err(refused)?;
        let identity = Identity::new(request.plugin_name, request.plugin_index).map_err(refused)?;
        let (answer, answered) = oneshot::channel();
        let registration = Registration {
            name: identity.name().to_owned(),
            index: identity.index().to_owned(),
            nri_version: request.nri_version,
            answer,
        };
        self.registrations.send(registration).await.map_err(refused)?;
        answered.await.map_err(refused)?
    }

    async fn update(&self, payload: &[u8]) -> Answer {
        let request = wire::UpdateContainersRequest::parse_from_bytes(payload).map_err(refused)?;
        let updates = request.updates.into_iter().map(ContainerUpdate::from).collect();
        self.updates.send(updates).await.map_err(refused)?;
        Ok(Vec::new())
    }
}

fn refused(error: impl std::fmt::Display) -> Status {
    Status::new(Code::UNKNOWN, error.to_string())
}
