//! Makes one connection after the other and keeps each for as long as it lasts. Orders what
//! happens; the framing, the calls and the state are elsewhere.

use std::error::Error;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::client::Client;
use super::handle::Links;
use crate::backoff::Backoff;
use crate::desk::ROOM_KIB;
use crate::dialer::Dialer;
use crate::error::{CallError, Lost};
use crate::identity::Identity;
use crate::log;
use crate::mux::{self, Ended, Mux, Trunk};
use crate::phase::Phase;
use crate::plugin::Plugin;
use crate::runtime::DEFAULT_REGISTRATION_TIMEOUT;
use crate::serve;
use crate::state::{State, Step};

/// How long the last answers have to reach the trunk when the session is told to stop.
const FLUSH: Duration = Duration::from_secs(1);
/// How long a runtime may take to tell what exists before somebody should look at it.
const SYNCHRONIZATION: Duration = Duration::from_secs(10);

/// A plugin's line to its runtime.
#[derive(Debug)]
pub(super) struct Line<P> {
    identity: Identity,
    plugin: Arc<P>,
    /// Of the session and not of a connection: handlers outlive connections.
    room: Arc<Semaphore>,
    links: Arc<Links>,
    registration_timeout: Duration,
}

impl<P: Plugin> Line<P> {
    pub(super) fn new(identity: Identity, plugin: Arc<P>, links: Arc<Links>) -> Self {
        let registration_timeout = DEFAULT_REGISTRATION_TIMEOUT;
        let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
        Self { identity, plugin, room, links, registration_timeout }
    }

    pub(super) fn rename(&mut self, identity: Identity) {
        self.identity = identity;
    }

    /// Dials, and dials again when the connection is lost, until told to stop. `failed` says that no connection was made.
    pub(super) async fn redial<D: Dialer>(
        &mut self,
        mut dialer: D,
        failed: impl Fn(io::Error) -> Lost,
    ) {
        let mut backoff = Backoff::new();
        let mut was_down = false;
        for attempts in 0.. {
            self.links.board.apply(Step::Dial { attempts });
            let began = Instant::now();
            let connection = tokio::select! {
                () = self.told_to_stop() => break,
                made = dialer.dial() => made,
            };
            let is_down = connection.is_err();
            let kept = match connection {
                Ok(trunk) => self.keep(trunk).await,
                Err(source) => Err(failed(source)),
            };
            let Err(cause) = kept else { break };
            backoff.served_for(began.elapsed());
            let wait = backoff.wait();
            // A runtime that is down for long is told of once, not at every attempt.
            self.lose(cause, wait, is_down && was_down);
            was_down = is_down;
            tokio::select! {
                () = self.told_to_stop() => break,
                () = sleep(wait) => {}
                // A socket is there a moment before anybody listens on it: what follows is a short wait or none.
                () = dialer.hint() => backoff.start_over(),
            }
        }
    }

    /// Keeps this connection until it is lost or the session is told to stop.
    pub(super) async fn once<T>(&mut self, trunk: T) -> Result<(), Lost>
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.links.board.apply(Step::Dial { attempts: 0 });
        self.keep(trunk).await
    }

    async fn keep<T>(&mut self, trunk: T) -> Result<(), Lost>
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        let kept = self.converse(trunk).await;
        if let Some(runtime) = self.links.board.state().runtime() {
            self.registration_timeout = runtime.registration_timeout;
        }
        kept
    }

    async fn converse<T>(&self, trunk: T) -> Result<(), Lost>
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        let Links { board, stop, .. } = &*self.links;
        let Mux { plugin, runtime, mut trunk } = mux::open(trunk);
        board.apply(Step::Connected);
        let (client, mut breaks) = Client::over(runtime);
        let offer = self.links.offer(client.clone());
        let (room, stop) = (Arc::clone(&self.room), stop.subscribe());
        let service = serve::run(plugin, Arc::clone(&self.plugin), room, Arc::clone(board), stop);
        tokio::select! {
            // First, so that what follows from the trunk's end is not taken for its cause.
            biased;
            end = trunk.ended() => return Err(lost(end, board.state().phase())),
            served = service => served?,
            Some(source) = breaks.recv() => return Err(Lost::Answer { source }),
            lost = self.introduce(&client) => return Err(lost),
        }
        drop((offer, client));
        flush(trunk).await;
        Ok(())
    }

    /// Registers the plugin and sees that the runtime goes on from there. Ends only if not.
    async fn introduce(&self, client: &Client) -> Lost {
        let wait = self.registration_timeout;
        match client.register(&self.identity, wait).await {
            Ok(()) => {}
            // The trunk's end tells more.
            Err(CallError::Disconnected) => pending().await,
            Err(source) => return Lost::Register { plugin: self.identity.to_string(), source },
        }
        let mut states = self.links.board.watch();
        let configured = states.wait_for(|state| !matches!(state, State::Registering));
        if timeout(wait, configured).await.is_err() {
            return Lost::NotConfigured { waited: wait };
        }
        // Nothing that a plugin does shortens this: a runtime that locked itself stays so when the plugin goes.
        if timeout(SYNCHRONIZATION, states.wait_for(State::is_serving)).await.is_err() {
            log::warn!(
                waited = ?SYNCHRONIZATION,
                "registered, but the runtime does not tell what exists; it first ends the pod operations under way. If no pod \
                 starts or stops any more, restart the runtime"
            );
        }
        pending().await
    }

    fn lose(&self, cause: Lost, retry_in: Duration, known: bool) {
        let error: &(dyn Error + 'static) = &cause;
        if known {
            log::debug!(error, ?retry_in, "still no connection to the runtime");
        } else {
            log::warn!(error, ?retry_in, "no connection to the runtime");
        }
        self.links.board.apply(Step::Lost { cause: Arc::new(cause), retry_in });
    }

    async fn told_to_stop(&self) {
        // The sender lives in the links this line holds.
        let _ = self.links.stop.subscribe().wait_for(|stop| *stop).await;
    }
}

/// However the session ends, also where its future is dropped, those who wait for it are told.
impl<P> Drop for Line<P> {
    fn drop(&mut self) {
        self.links.board.apply(Step::Stopped);
    }
}

async fn flush(mut trunk: Trunk) {
    if timeout(FLUSH, trunk.ended()).await.is_err() {
        log::warn!("the last answers may not have reached the runtime");
    }
}

fn lost(end: Ended, during: Phase) -> Lost {
    match end {
        Ended::Closed | Ended::Finished => Lost::Closed { during },
        Ended::Transport { operation, source } => Lost::Transport { operation, source },
        Ended::Stalled => Lost::Stalled { waited: mux::STALL },
        Ended::Violated(violation) => Lost::Protocol(violation),
    }
}
