//! One call: a message goes out; a message, several, or a refusal come back. A connection lasts for one call: who listens may be ended and
//! started again between two, and nothing here has to notice.

use std::{io, path::Path, time::Duration};

use http::{HeaderMap, Request, Response};
use prost::Message;
use tokio::net::UnixStream;

use crate::{
    frame,
    status::{Code, Status},
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens.
    #[error("connect")]
    Connect(#[source] io::Error),
    /// The call was refused, by these words.
    #[error("{0}")]
    Refused(Status),
    /// No answer came in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// What came is not gRPC.
    #[error("HTTP/2")]
    Broken(#[source] h2::Error),
    /// What came is no such message.
    #[error("the answer")]
    Malformed(#[source] prost::DecodeError),
}

impl From<h2::Error> for CallError {
    fn from(error: h2::Error) -> Self {
        Self::Broken(error)
    }
}

/// Calls `method`, which is `package.Service/Method`, at `socket`, and waits for the answer at most for `limit`.
pub async fn call<A: Message, B: Message + Default>(
    socket: &Path,
    method: &str,
    request: &A,
    limit: Duration,
) -> Result<B, CallError> {
    let answer = tokio::time::timeout(limit, exchange(socket, method, request)).await;
    let body = answer.map_err(|_| CallError::Late(limit))??;
    let message = frame::only(&body).map_err(CallError::Refused)?;
    B::decode(message).map_err(CallError::Malformed)
}

/// Answers that go on.
#[derive(Debug)]
pub struct Stream {
    body: h2::RecvStream,
    /// What came and was not taken yet.
    waiting: Vec<u8>,
}

/// Calls `method` at `socket`, and gives its answers as they come. The call ends when they are dropped.
pub async fn stream(
    socket: &Path,
    method: &str,
    request: &impl Message,
) -> Result<Stream, CallError> {
    let (head, body) = send(socket, method, request).await?.into_parts();
    match Status::of(&head.headers) {
        None | Some(Status { code: Code::Ok, .. }) => Ok(Stream { body, waiting: Vec::new() }),
        Some(refused) => Err(CallError::Refused(refused)),
    }
}

impl Stream {
    /// The next answer; `None` when there is none any more.
    pub async fn next<B: Message + Default>(&mut self) -> Result<Option<B>, CallError> {
        loop {
            if let Some(message) = frame::first(&mut self.waiting) {
                return B::decode(&*message).map(Some).map_err(CallError::Malformed);
            }
            let Some(chunk) = self.body.data().await else { break };
            let chunk = chunk?;
            self.body.flow_control().release_capacity(chunk.len())?;
            self.waiting.extend_from_slice(&chunk);
        }
        let trailers = self.body.trailers().await?.unwrap_or_default();
        match Status::of(&trailers) {
            Some(Status { code: Code::Ok, .. }) => Ok(None),
            Some(ended) => Err(CallError::Refused(ended)),
            None => Err(CallError::Refused(Status::new(Code::Internal, "no status at the end"))),
        }
    }
}

async fn exchange(
    socket: &Path,
    method: &str,
    request: &impl Message,
) -> Result<Vec<u8>, CallError> {
    let (head, mut stream) = send(socket, method, request).await?.into_parts();
    let body = read(&mut stream).await?;
    // After the body, or in its place.
    let trailers: HeaderMap = stream.trailers().await?.unwrap_or(head.headers);
    match Status::of(&trailers) {
        Some(Status { code: Code::Ok, .. }) => Ok(body),
        Some(refused) => Err(CallError::Refused(refused)),
        None => Err(CallError::Refused(Status::new(Code::Internal, "an answer without a status"))),
    }
}

/// Sends a request; what comes back has begun.
async fn send(
    socket: &Path,
    method: &str,
    request: &impl Message,
) -> Result<Response<h2::RecvStream>, CallError> {
    let stream = UnixStream::connect(socket).await.map_err(CallError::Connect)?;
    let (client, connection) = h2::client::handshake(stream).await?;
    // It moves the frames while the rest waits for them, and ends when the last of the rest does.
    tokio::spawn(connection);
    let mut client = client.ready().await?;
    let head = Request::post(format!("http://localhost/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .map_err(|error| {
            CallError::Refused(Status::new(Code::InvalidArgument, error.to_string()))
        })?;
    let (response, mut sending) = client.send_request(head, false)?;
    sending.send_data(frame::encode(request), true)?;
    Ok(response.await?)
}

/// The whole of a body, if it is not too long.
pub(crate) async fn read(stream: &mut h2::RecvStream) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = stream.data().await {
        let chunk = chunk?;
        stream.flow_control().release_capacity(chunk.len())?;
        if body.len() + chunk.len() > frame::LONGEST {
            let long = Status::new(Code::ResourceExhausted, "a message of more than 16 MiB");
            return Err(CallError::Refused(long));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
