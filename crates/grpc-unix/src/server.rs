//! Answers calls at one socket. A call whose caller went away is dropped.

use std::{future::poll_fn, io, sync::Arc};

use bytes::Bytes;
use h2::{RecvStream, SendStream, server::SendResponse};
use http::{Request, Response};
use prost::Message;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::mpsc::{Receiver, Sender, channel},
};

use crate::{
    client::{self, CallError},
    frame,
    status::{Code, Status},
};

/// What answers calls.
pub trait Service: Send + Sync + 'static {
    /// Answers a call of `method`, which is `package.Service/Method`: sends one reply, or as many as its stream has, and then tells how
    /// it went. Dropped when the caller goes away.
    fn call(
        &self,
        method: &str,
        request: Vec<u8>,
        replies: Replies,
    ) -> impl Future<Output = Result<(), Status>> + Send;
}

/// The caller is gone, and wants no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl From<Gone> for Status {
    fn from(Gone: Gone) -> Self {
        Self::new(Code::Cancelled, "the caller is gone")
    }
}

/// Where the replies to one call go.
#[derive(Debug)]
pub struct Replies(Sender<Bytes>);

impl Replies {
    /// Sends one reply, when the one before has been taken.
    pub async fn send(&self, reply: &impl Message) -> Result<(), Gone> {
        self.0.send(frame::encode(reply)).await.map_err(|_| Gone)
    }
}

/// Whoever listens at one socket.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
}

impl Server {
    /// Serves at a socket that listens already.
    pub fn new(listener: UnixListener) -> Self {
        Self { listener }
    }

    /// Answers calls until the socket fails. What is under way goes on after that, and is dropped with the event loop.
    pub async fn run(self, service: Arc<impl Service>) -> io::Error {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(connection(stream, Arc::clone(&service)))),
                Err(error) => return error,
            }
        }
    }
}

/// Answers the calls of one connection, each for itself; what it does that is not HTTP/2 ends it.
async fn connection(stream: UnixStream, service: Arc<impl Service>) {
    let Ok(mut calls) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = calls.accept().await {
        tokio::spawn(answer(request, respond, Arc::clone(&service)));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    service: Arc<impl Service>,
) {
    let (head, body) = request.into_parts();
    let mut response = Response::new(());
    let grpc = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
    let Ok(mut stream) = respond.send_response(response, false) else { return };
    let (sender, mut replies) = channel(1);
    let method = head.uri.path().trim_start_matches('/');
    let done = serve(&*service, method, body, Replies(sender));
    tokio::pin!(done);
    let done = loop {
        tokio::select! {
            biased;
            // Reset, or the connection is lost.
            _ = poll_fn(|context| stream.poll_reset(context)) => return,
            Some(reply) = replies.recv() => if send(&mut stream, reply).await.is_err() { return },
            done = &mut done => break done,
        }
    };
    if forward(&mut stream, &mut replies).await.is_err() {
        return;
    }
    let status = done.err().unwrap_or_else(|| Status::new(Code::Ok, ""));
    // The caller may be gone.
    let _ = stream.send_trailers(status.trailers());
}

/// Sends what waits still.
async fn forward(
    stream: &mut SendStream<Bytes>,
    replies: &mut Receiver<Bytes>,
) -> Result<(), Gone> {
    while let Some(reply) = replies.recv().await {
        send(stream, reply).await?;
    }
    Ok(())
}

/// Sends a reply as the caller has room for it.
async fn send(stream: &mut SendStream<Bytes>, mut reply: Bytes) -> Result<(), Gone> {
    while !reply.is_empty() {
        stream.reserve_capacity(reply.len());
        let room = poll_fn(|context| stream.poll_capacity(context)).await;
        let Some(Ok(room)) = room else { return Err(Gone) };
        let part = reply.split_to(room.min(reply.len()));
        stream.send_data(part, false).map_err(|_| Gone)?;
    }
    Ok(())
}

async fn serve(
    service: &impl Service,
    method: &str,
    mut body: RecvStream,
    replies: Replies,
) -> Result<(), Status> {
    let read = client::read(&mut body).await;
    let request = read.map_err(|error| match error {
        CallError::Refused(status) => status,
        error => Status::new(Code::Internal, error.to_string()),
    })?;
    let message = frame::only(&request)?.to_vec();
    service.call(method, message, replies).await
}
