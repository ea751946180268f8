//! Sends requests and finds their answers. Of one connection; knows no method and waits for nobody's deadline.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protobuf::Message;
use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::sync::{mpsc, oneshot};
use ttrpc::proto::MESSAGE_TYPE_REQUEST;
use ttrpc::{Code, Request, Response};

use crate::error::CallError;
use crate::message;

const SERVICE: &str = "nri.pkg.api.v1alpha1.Runtime";

/// Requests waiting to be written.
const WAITING: usize = 8;

type Answer = Result<Vec<u8>, CallError>;

/// Calls one side of a connection.
pub(super) struct Caller {
    requests: mpsc::Sender<Vec<u8>>,
    pending: Arc<Mutex<Pending>>,
    stream: AtomicU32,
}

/// Who waits for an answer, by stream.
#[derive(Default)]
struct Pending {
    waiting: BTreeMap<u32, oneshot::Sender<Answer>>,
    has_ended: bool,
}

impl Caller {
    /// A caller over this connection; it closes its side once the last caller is dropped.
    pub(super) fn over(connection: DuplexStream) -> Self {
        let (reader, writer) = split(connection);
        let (requests, outgoing) = mpsc::channel(WAITING);
        let pending = Arc::new(Mutex::new(Pending::default()));
        tokio::spawn(write(writer, outgoing));
        tokio::spawn(read(reader, Arc::clone(&pending)));
        Self { requests, pending, stream: AtomicU32::new(1) }
    }

    /// Calls a method; the other side is told how long this one waits.
    pub(super) async fn call<A: Message>(
        &self,
        method: &str,
        payload: &impl Message,
        wait: Duration,
    ) -> Result<A, CallError> {
        let mut request = Request::new();
        SERVICE.clone_into(&mut request.service);
        method.clone_into(&mut request.method);
        request.timeout_nano = i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX);
        request.payload = payload.write_to_bytes().map_err(|error| undecodable(&error))?;
        let request = request.write_to_bytes().map_err(|error| undecodable(&error))?;
        // The calling side's streams are odd.
        let stream = self.stream.fetch_add(2, Ordering::Relaxed);
        let answer = self.expect(stream)?;
        let request = message::encode(stream, MESSAGE_TYPE_REQUEST, &request);
        self.requests.send(request).await.map_err(|_| CallError::Disconnected)?;
        let payload = answer.await.map_err(|_| CallError::Disconnected)??;
        A::parse_from_bytes(&payload).map_err(|error| undecodable(&error))
    }

    fn expect(&self, stream: u32) -> Result<oneshot::Receiver<Answer>, CallError> {
        let (tell, answer) = oneshot::channel();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.has_ended {
            return Err(CallError::Disconnected);
        }
        // Those whose deadline passed wait no more.
        pending.waiting.retain(|_, waiting| !waiting.is_closed());
        pending.waiting.insert(stream, tell);
        Ok(answer)
    }
}

async fn write(mut writer: WriteHalf<DuplexStream>, mut outgoing: mpsc::Receiver<Vec<u8>>) {
    while let Some(request) = outgoing.recv().await {
        if writer.write_all(&request).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

async fn read(mut reader: ReadHalf<DuplexStream>, pending: Arc<Mutex<Pending>>) {
    while let Some((stream, payload)) = message::next(&mut reader).await {
        let waiting = {
            let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.waiting.remove(&stream)
        };
        // Nobody waits for an answer that comes too late, or to a question nobody asked.
        if let Some(waiting) = waiting {
            let _ = waiting.send(answer(&payload));
        }
    }
    let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
    pending.has_ended = true;
    pending.waiting.clear();
}

fn answer(payload: &[u8]) -> Answer {
    let response = Response::parse_from_bytes(payload).map_err(|error| undecodable(&error))?;
    let status = response.status();
    if status.code() == Code::OK {
        return Ok(response.payload);
    }
    Err(CallError::Refused { code: status.code.value(), message: status.message.clone() })
}

fn undecodable(error: &protobuf::Error) -> CallError {
    CallError::Undecodable { detail: error.to_string() }
}
