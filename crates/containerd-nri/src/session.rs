//! Keeps a plugin connected to its runtime over any number of connections. The public face of it;
//! knows no event and no handler.

mod arrival;
mod caller;
mod client;
mod handle;
mod line;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use crate::dialer::Dialer;
use crate::error::Lost;
use crate::identity::Identity;
use crate::launch::Launch;
use crate::plugin::Plugin;
use arrival::SocketDialer;
pub use handle::Handle;
use handle::Links;
use line::Line;

/// A plugin's connection to a runtime, over all its reconnecting.
///
/// [`Session::run`] does the work; a [`Handle`] observes and steers it from elsewhere.
#[derive(Debug)]
pub struct Session<P> {
    launch: Launch,
    line: Line<P>,
    links: Arc<Links>,
}

impl<P: Plugin> Session<P> {
    /// Prepares a session; nothing happens before [`Session::run`].
    pub fn new(identity: Identity, launch: Launch, plugin: P) -> Self {
        let links = Arc::new(Links::new());
        let line = Line::new(identity, Arc::new(plugin), Arc::clone(&links));
        Self { launch, line, links }
    }

    /// A handle on this session.
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.links))
    }

    /// Runs until told to stop, in a tokio runtime with time and I/O enabled.
    ///
    /// A plugin that dials connects again for ever, after 50 ms at first and 5 s at last. A
    /// plugin that was launched by its runtime has one connection, and this fails with what ended
    /// it; the process should then exit.
    ///
    /// Dropping the future closes the connection and stops the session. Handlers under way go on.
    pub async fn run(mut self) -> Result<(), Lost> {
        match self.launch {
            Launch::External { socket } => {
                let failed = |source| Lost::Dial { path: socket.clone(), source };
                self.line.redial(SocketDialer::new(socket.clone()), failed).await;
            }
            Launch::Inherited { trunk, identity } => {
                if let Some(identity) = identity {
                    self.line.rename(identity);
                }
                trunk.set_nonblocking(true).map_err(|source| Lost::Inherit { source })?;
                let trunk =
                    UnixStream::from_std(trunk).map_err(|source| Lost::Inherit { source })?;
                self.line.once(trunk).await?;
            }
        }
        Ok(())
    }

    /// Runs over the connections that this dialer makes, whatever the launch, until told to stop.
    pub async fn run_dialing<D: Dialer>(mut self, dialer: D) -> Result<(), Lost> {
        self.line.redial(dialer, |source| Lost::Dialer { source }).await;
        Ok(())
    }

    /// Runs over this one connection, whatever the launch, until it ends or the session is told
    /// to stop.
    pub async fn run_over<T>(mut self, trunk: T) -> Result<(), Lost>
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.line.once(trunk).await?;
        Ok(())
    }
}
