//! One request over one connection: TCP, TLS, HTTP/2.

use bytes::Bytes;
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Credentials;
use vfhook::types::with_causes;

/// Sends a request; what comes back has begun. An error is why nothing came.
pub(super) async fn send(
    credentials: &Credentials,
    request: Request<()>,
    body: Option<Vec<u8>>,
) -> Result<Response<h2::RecvStream>, String> {
    let stream = TcpStream::connect(&credentials.authority).await;
    let stream = stream.map_err(|error| with_causes(&error))?;
    let connector = TlsConnector::from(credentials.tls.clone());
    let stream = connector.connect(credentials.name.clone(), stream).await;
    let stream = stream.map_err(|error| with_causes(&error))?;
    exchange(stream, request, body).await.map_err(|error| with_causes(&error))
}

async fn exchange(
    stream: tokio_rustls::client::TlsStream<TcpStream>,
    request: Request<()>,
    body: Option<Vec<u8>>,
) -> Result<Response<h2::RecvStream>, h2::Error> {
    let (client, connection) = h2::client::handshake(stream).await?;
    // It moves the frames while the rest waits for them, and ends when the last of the rest does.
    tokio::spawn(connection);
    let mut client = client.ready().await?;
    let (response, mut sending) = client.send_request(request, body.is_none())?;
    if let Some(body) = body {
        sending.send_data(Bytes::from(body), true)?;
    }
    response.await
}
