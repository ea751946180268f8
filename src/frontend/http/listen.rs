//! Where questions come in: a socket in the file system, or this machine's own addresses. Knows nothing of HTTP.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    str::FromStr,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    time::sleep,
};

use crate::kernel::{OwnSocket, PassedSocket};

/// How long to wait when a connection cannot be taken, as when there are no more descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// At a path.
    Unix(PathBuf),
    /// At an address of the machine's own.
    Loopback(SocketAddr),
}

/// Why a text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected unix:/PATH, 127.0.0.1:PORT or [::1]:PORT; nobody else's address is listened at, since it would tell strangers of pods"
)]
pub struct NoAddress;

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(NoAddress) };
        }
        let address: SocketAddr = text.parse().map_err(|_| NoAddress)?;
        if address.ip().is_loopback() { Ok(Self::Loopback(address)) } else { Err(NoAddress) }
    }
}

/// A socket that listens; one at a path that it made itself is gone when this is dropped.
#[derive(Debug)]
pub enum Listener {
    /// At a path.
    Unix(UnixListener, Option<OwnSocket>),
    /// At an address.
    Loopback(TcpListener),
}

impl Listener {
    /// Listens, in place of what a process left there that died.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Unix(path) => {
                let (own, listener) = OwnSocket::listen(path)?;
                Ok(Self::Unix(UnixListener::from_std(listener)?, Some(own)))
            }
            Address::Loopback(address) => TcpListener::bind(address).await.map(Self::Loopback),
        }
    }

    /// Listens where a manager of services does so for us already.
    pub fn passed(socket: PassedSocket) -> io::Result<Self> {
        Ok(match socket {
            PassedSocket::Unix(listener) => Self::Unix(UnixListener::from_std(listener)?, None),
            PassedSocket::Loopback(listener) => Self::Loopback(TcpListener::from_std(listener)?),
        })
    }

    /// The next who asks; `None` where one could not be taken, after a while.
    pub(super) async fn accept(&self) -> Option<Stream> {
        let accepted = match self {
            Self::Unix(listener, _) => {
                listener.accept().await.map(|(stream, _)| Stream::Unix(stream))
            }
            Self::Loopback(listener) => {
                listener.accept().await.map(|(stream, _)| Stream::Loopback(stream))
            }
        };
        match accepted {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%error, "a connection could not be taken");
                sleep(PAUSE).await;
                None
            }
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    Unix(UnixStream),
    Loopback(TcpStream),
}

impl Stream {
    /// Writes what there is room for at once.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Loopback(stream) => stream.try_write(bytes),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Loopback(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Loopback(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Loopback(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Loopback(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_to() {
        for right in ["unix:/run/vfhook/http", "127.0.0.1:9118", "[::1]:0", "127.1.2.3:80"] {
            assert!(right.parse::<Address>().is_ok(), "{right}");
        }
        for wrong in [
            "",
            "unix:",
            "unix:http",
            "0.0.0.0:9118",
            "[::]:80",
            "192.168.0.1:80",
            "localhost:80",
            "9118",
        ] {
            assert_eq!(wrong.parse::<Address>(), Err(NoAddress), "{wrong}");
        }
    }
}
