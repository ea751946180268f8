//! One gRPC call over HTTP/2 over a unix socket: a message goes out, a message or a refusal comes back. It must not know what they mean.
//!
//! A connection lasts for one call: containerd is killed and started again between calls, and nothing here has to notice.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use prost::Message;
use tokio::net::UnixStream;

use crate::guest::failure::Failure;

/// Before each message: a byte that says whether it is compressed, and its length in four bytes, the highest first.
const PREFIX: usize = 5;

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// What came back.
struct Answer {
    body: Vec<u8>,
    /// Where gRPC says how it went: after the body, or in its place.
    status: HeaderMap,
}

/// Calls `service/method` and waits for the answer, at most for `limit`.
pub(super) fn unary<A: Message, B: Message + Default>(
    socket: &Path,
    service: &str,
    method: &str,
    request: &A,
    limit: Duration,
) -> Result<B, Failure> {
    let unanswered = |error: Broken| Failure::unmet(format!("the runtime answers {method}"), error);
    let path = format!("http://localhost/{service}/{method}");
    let answer = within(limit, exchange(socket, &path, framed(&request.encode_to_vec())))
        .map_err(unanswered)?;
    match code(&answer.status) {
        Some(0) => {
            let message = answer.body.get(PREFIX..).unwrap_or_default();
            B::decode(message).map_err(|error| unanswered(error.into()))
        }
        Some(code) => {
            Err(Failure::Refused { method: method.to_owned(), code, said: said(&answer.status) })
        }
        None => Err(unanswered(format!("no gRPC status in {:?}", answer.status).into())),
    }
}

fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { tokio::time::timeout(limit, work).await? })
}

async fn exchange(socket: &Path, path: &str, body: Bytes) -> Result<Answer, Broken> {
    let stream = UnixStream::connect(socket).await?;
    let (client, connection) = h2::client::handshake(stream).await?;
    // It moves the frames while the rest waits for them, and ends with the runtime that it was spawned on.
    tokio::spawn(connection);
    let mut client = client.ready().await?;
    let request = Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let (response, mut sending) = client.send_request(request, false)?;
    sending.send_data(body, true)?;
    let (head, mut stream) = response.await?.into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = stream.data().await {
        let chunk = chunk?;
        stream.flow_control().release_capacity(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    let status = stream.trailers().await?.unwrap_or(head.headers);
    Ok(Answer { body, status })
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}

fn code(status: &HeaderMap) -> Option<u32> {
    status.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// What was said with the status. Bytes that may not stand in a header are written as `%` and two hexadecimal digits.
fn said(status: &HeaderMap) -> String {
    let coded = status.get("grpc-message").map_or(&b""[..], |value| value.as_bytes());
    let mut plain = Vec::new();
    let mut rest = coded;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.split_at_checked(2)).flatten();
        let decoded = escaped.and_then(|(digits, left)| Some((hexadecimal(digits)?, left)));
        let (byte, left) = decoded.unwrap_or((byte, after));
        plain.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(message: &'static str) -> HeaderMap {
        let mut status = HeaderMap::new();
        status.insert("grpc-status", "9".parse().unwrap());
        status.insert("grpc-message", message.parse().unwrap());
        status
    }

    #[test]
    fn what_was_said_is_read_as_it_was_meant() {
        assert_eq!(said(&status("no VF: 100%25, %22fast%22%0A")), "no VF: 100%, \"fast\"\n");
        assert_eq!(said(&status("%e2%80%9cfast%e2%80%9d")), "“fast”");
        assert_eq!(said(&status("100% and %4")), "100% and %4");
        assert_eq!(said(&HeaderMap::new()), "");
        assert_eq!(code(&status("")), Some(9));
    }

    #[test]
    fn a_message_is_sent_behind_its_length() {
        assert_eq!(framed(b"abc"), &[0, 0, 0, 0, 3, b'a', b'b', b'c'][..]);
    }
}
