//! Where in its life a connection to a runtime is: a pure state machine. It does no I/O and keeps
//! no clock; the session feeds it steps.
//!
//! ```text
//!  Idle ──► Dialing ──► Registering ──► Configuring ──► Synchronizing ──► Serving
//!              ▲             │              │                 │              │
//!              │             ▼              ▼                 ▼              ▼
//!              └────────────────────────  Lost  ──────────────────────────────┘
//!
//!  any ──► Stopped
//! ```

use std::sync::Arc;
use std::time::Duration;

use crate::error::Lost;
use crate::phase::Phase;
use crate::runtime::RuntimeInfo;

/// The state of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum State {
    /// The session does not run yet.
    Idle,
    /// Making a connection.
    Dialing {
        /// How many connections were attempted before, in the life of the session.
        attempts: u64,
    },
    /// Connected; the runtime does not know the plugin yet.
    Registering,
    /// Registered; the runtime is configuring the plugin. It closes the connection now if it
    /// does not like the plugin's events.
    Configuring,
    /// Configured; the plugin does not know yet what exists.
    Synchronizing {
        /// The runtime.
        runtime: Arc<RuntimeInfo>,
    },
    /// The plugin gets events.
    Serving {
        /// The runtime.
        runtime: Arc<RuntimeInfo>,
    },
    /// The connection ended.
    Lost {
        /// Why.
        cause: Arc<Lost>,
        /// After how long the session dials again.
        retry_in: Duration,
    },
    /// The session ended: it was told to, was dropped, or lost the only connection it had.
    Stopped,
}

impl State {
    /// The runtime at the other end, once it introduced itself.
    pub fn runtime(&self) -> Option<&Arc<RuntimeInfo>> {
        match self {
            Self::Synchronizing { runtime } | Self::Serving { runtime } => Some(runtime),
            _ => None,
        }
    }

    /// Tells whether the plugin gets events.
    pub fn is_serving(&self) -> bool {
        matches!(self, Self::Serving { .. })
    }

    /// What is under way.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Registering => Phase::Registering,
            Self::Configuring => Phase::Configuring,
            Self::Synchronizing { .. } => Phase::Synchronizing,
            Self::Serving { .. } => Phase::Serving,
            Self::Idle | Self::Dialing { .. } | Self::Lost { .. } | Self::Stopped => Phase::Dialing,
        }
    }

    /// The state after a step. A step out of order changes nothing.
    #[must_use]
    pub(crate) fn after(self, step: Step) -> Self {
        match (self, step) {
            (state @ Self::Stopped, _) => state,
            (_, Step::Dial { attempts }) => Self::Dialing { attempts },
            (Self::Dialing { .. }, Step::Connected) => Self::Registering,
            (
                Self::Registering | Self::Synchronizing { .. } | Self::Serving { .. },
                Step::ConfigureCalled,
            ) => Self::Configuring,
            (Self::Configuring, Step::Configured(runtime)) => Self::Synchronizing { runtime },
            (Self::Synchronizing { runtime }, Step::Synchronized) => Self::Serving { runtime },
            (_, Step::Lost { cause, retry_in }) => Self::Lost { cause, retry_in },
            (_, Step::Stopped) => Self::Stopped,
            (state, _) => state,
        }
    }
}

/// What happened to a session.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Dial { attempts: u64 },
    Connected,
    ConfigureCalled,
    Configured(Arc<RuntimeInfo>),
    Synchronized,
    Lost { cause: Arc<Lost>, retry_in: Duration },
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_set::EventSet;
    use crate::wire::nri::ConfigureRequest;

    fn runtime() -> Arc<RuntimeInfo> {
        Arc::new(RuntimeInfo::new(ConfigureRequest::default(), EventSet::EMPTY, None))
    }

    fn lost() -> Step {
        let cause = Arc::new(Lost::Closed { during: Phase::Serving });
        Step::Lost { cause, retry_in: Duration::ZERO }
    }

    fn walk(steps: impl IntoIterator<Item = Step>) -> State {
        steps.into_iter().fold(State::Idle, State::after)
    }

    fn to_serving() -> Vec<Step> {
        vec![
            Step::Dial { attempts: 0 },
            Step::Connected,
            Step::ConfigureCalled,
            Step::Configured(runtime()),
            Step::Synchronized,
        ]
    }

    #[test]
    fn walks_from_dialing_to_serving_and_no_step_can_be_left_out() {
        assert!(walk(to_serving()).is_serving());
        for left_out in 1..5 {
            let mut steps = to_serving();
            steps.remove(left_out);
            assert!(!walk(steps).is_serving(), "without step {left_out}");
        }
    }

    #[test]
    fn any_state_can_be_lost_and_dialed_from_again() {
        for length in 0..=5 {
            let mut steps = to_serving();
            steps.truncate(length);
            steps.push(lost());
            assert!(matches!(walk(steps.clone()), State::Lost { .. }));
            steps.extend(to_serving());
            assert!(walk(steps).is_serving());
        }
    }

    #[test]
    fn a_late_step_of_a_lost_connection_changes_nothing() {
        let mut steps = to_serving();
        steps.insert(4, lost());
        assert!(matches!(walk(steps), State::Lost { .. }));
    }

    #[test]
    fn configuring_again_needs_synchronizing_again() {
        let mut steps = to_serving();
        steps.push(Step::ConfigureCalled);
        assert!(matches!(walk(steps.clone()), State::Configuring));
        steps.push(Step::Synchronized);
        assert!(!walk(steps).is_serving());
    }

    #[test]
    fn stopped_is_final() {
        let mut steps = vec![Step::Stopped];
        steps.extend(to_serving());
        assert!(matches!(walk(steps), State::Stopped));
    }
}
