//! Observes and steers a session from outside its task. Holds what the two share.

use std::sync::Arc;

use tokio::sync::watch;

use super::client::Client;
use crate::board::Board;
use crate::error::CallError;
use crate::runtime::RuntimeInfo;
use crate::state::State;
use crate::update::ContainerUpdate;

/// A handle on a session. Clones are handles on the same session.
#[derive(Clone, Debug)]
pub struct Handle {
    links: Arc<Links>,
}

impl Handle {
    pub(super) fn new(links: Arc<Links>) -> Self {
        Self { links }
    }

    /// The session's state now.
    pub fn state(&self) -> State {
        self.links.board.state()
    }

    /// The session's state, to wait for changes of. Changes that follow each other at once may
    /// be seen as one.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.links.board.watch()
    }

    /// Waits until the plugin gets events; none if the session stopped instead.
    pub async fn serving(&self) -> Option<Arc<RuntimeInfo>> {
        let mut states = self.watch();
        let reached = states
            .wait_for(|state| matches!(state, State::Serving { .. } | State::Stopped))
            .await
            .ok()?;
        reached.runtime().cloned()
    }

    /// Tells the session to stop: it takes no further call, gives the answers under way and
    /// closes the connection.
    pub fn stop(&self) {
        self.links.stop.send_replace(true);
    }

    /// Asks the runtime to change containers that exist; gives the updates that failed.
    ///
    /// Never call this from a handler: the runtime serves it between events only, so each would
    /// wait for the other. A handler has updates of its own to answer with.
    pub async fn update_containers(
        &self,
        updates: Vec<ContainerUpdate>,
    ) -> Result<Vec<ContainerUpdate>, CallError> {
        if !self.state().is_serving() {
            return Err(CallError::NotServing);
        }
        let client = self.links.client.borrow().clone();
        client.ok_or(CallError::NotServing)?.update_containers(updates).await
    }
}

/// What a session shares with its handles.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) board: Arc<Board>,
    pub(super) stop: watch::Sender<bool>,
    client: watch::Sender<Option<Client>>,
}

impl Links {
    pub(super) fn new() -> Self {
        let board = Arc::new(Board::new());
        Self { board, stop: watch::Sender::new(false), client: watch::Sender::new(None) }
    }

    /// Lets handles call the runtime until the offer is dropped.
    pub(super) fn offer(&self, client: Client) -> Offer<'_> {
        self.client.send_replace(Some(client));
        Offer { links: self }
    }
}

/// The time in which handles can call the runtime.
pub(super) struct Offer<'a> {
    links: &'a Links,
}

impl Drop for Offer<'_> {
    fn drop(&mut self) {
        self.links.client.send_replace(None);
    }
}
