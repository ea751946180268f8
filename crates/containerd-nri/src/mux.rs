//! Carries two logical connections over one trunk: the plugin's service and the runtime's. Moves
//! bytes and enforces the rules of framing; does not know what a call is.
//!
//! Nothing is queued but one pipe of fixed size per direction and logical connection, so a side
//! that does not read makes the other wait, and memory stays bounded.

mod frame;
mod guard;
mod pump;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex, split};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::error::Violation;
pub(crate) use pump::STALL;
use pump::{Inbound, Outbound};

/// One pipe's capacity.
const PIPE: usize = 64 * 1024;

/// How long a finished trunk stays open. Runtimes may drop what they read just before its end.
const LINGER: Duration = Duration::from_millis(100);

/// Why a trunk ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The other side closed it between frames.
    Closed,
    /// This side closed both logical connections and all they sent is written.
    Finished,
    Transport {
        operation: &'static str,
        source: std::io::Error,
    },
    Stalled,
    Violated(Violation),
}

/// A trunk and its two logical connections. Dropping it closes the trunk.
#[derive(Debug)]
pub(crate) struct Mux {
    /// The runtime calls the plugin here.
    pub(crate) plugin: DuplexStream,
    /// The plugin calls the runtime here.
    pub(crate) runtime: DuplexStream,
    pub(crate) trunk: Trunk,
}

/// The task that moves the bytes. Dropping it closes the trunk.
#[derive(Debug)]
pub(crate) struct Trunk {
    task: JoinHandle<()>,
    ended: oneshot::Receiver<Ended>,
}

impl Trunk {
    /// Waits for the end.
    pub(crate) async fn ended(&mut self) -> Ended {
        (&mut self.ended).await.unwrap_or(Ended::Closed)
    }
}

impl Drop for Trunk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts to carry the logical connections over this trunk.
pub(crate) fn open<T>(trunk: T) -> Mux
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    let (plugin, plugin_end) = duplex(PIPE);
    let (runtime, runtime_end) = duplex(PIPE);
    let (tell, ended) = oneshot::channel();
    let task = tokio::spawn(async move {
        let (trunk_in, trunk_out) = split(trunk);
        let (plugin_out, plugin_in) = split(plugin_end);
        let (runtime_out, runtime_in) = split(runtime_end);
        let mut inbound = Inbound::new(trunk_in, plugin_in, runtime_in);
        let mut outbound = Outbound::new(trunk_out, plugin_out, runtime_out);
        let end = tokio::select! {
            end = inbound.run() => end,
            end = outbound.run() => end,
        };
        if matches!(end, Ended::Finished) {
            sleep(LINGER).await;
        }
        // Told before the pipes are dropped, so that whoever sees a pipe end finds the reason.
        let _ = tell.send(end);
    });
    Mux { plugin, runtime, trunk: Trunk { task, ended } }
}

#[cfg(test)]
mod tests;
