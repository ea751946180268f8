//! Where a session's state is published. Applies steps and wakes whoever watches; decides no step.

use tokio::sync::watch;

use crate::log;
use crate::state::{State, Step};

/// A published state.
#[derive(Debug)]
pub(crate) struct Board {
    state: watch::Sender<State>,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self { state: watch::Sender::new(State::Idle) }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(crate) fn apply(&self, step: Step) {
        self.state.send_modify(|state| {
            let before = std::mem::replace(state, State::Idle);
            let served = before.is_serving();
            *state = before.after(step);
            if let (false, State::Serving { runtime }) = (served, &*state) {
                let (name, version) = (&runtime.name, &runtime.version);
                log::info!(name, %version, events = ?runtime.subscribed, "serving the runtime");
            }
        });
    }
}
