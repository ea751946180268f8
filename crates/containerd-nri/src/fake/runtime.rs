//! A runtime that listens for plugins, or launches one. Hands each over as a [`Peer`]; does
//! nothing by itself.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};

use super::peer::Peer;
use super::profile::Profile;

/// A runtime that listens for plugins.
#[derive(Debug)]
pub struct FakeRuntime {
    listener: UnixListener,
    profile: Profile,
}

impl FakeRuntime {
    /// Listens on this socket; one that is there is replaced, as real runtimes do.
    pub fn listen(socket: impl AsRef<Path>, profile: Profile) -> io::Result<Self> {
        let socket = socket.as_ref();
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self { listener: UnixListener::bind(socket)?, profile })
    }

    /// Waits for a plugin to connect.
    pub async fn accept(&self) -> io::Result<Peer> {
        let (trunk, _) = self.listener.accept().await?;
        Ok(Peer::over(trunk, self.profile.clone()))
    }

    /// Waits for a plugin to connect, and gives the bare connection.
    pub async fn accept_raw(&self) -> io::Result<UnixStream> {
        let (trunk, _) = self.listener.accept().await?;
        Ok(trunk)
    }

    /// A runtime's end and a plugin's end of a connection, for a plugin to be launched with.
    pub fn launch(profile: Profile) -> io::Result<(Peer, StdUnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let theirs = theirs.into_std()?;
        theirs.set_nonblocking(false)?;
        Ok((Peer::over(ours, profile), theirs))
    }
}
