//! What a plugin does for a runtime, by name. It does none of it.

use std::fmt;
use std::time::Duration;

use crate::error::{Refusal, one_line};
use crate::event::Event;

/// One call of a handler, by what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// [`Plugin::configure`](crate::Plugin::configure).
    Configure,
    /// [`Plugin::synchronize`](crate::Plugin::synchronize).
    Synchronize,
    /// [`Plugin::shutdown`](crate::Plugin::shutdown).
    Shutdown,
    /// The handler of an event.
    Event {
        /// The event.
        event: Event,
        /// The id of the pod's sandbox.
        pod_id: String,
        /// The id of the container, for an event of one.
        container_id: Option<String>,
    },
}

impl Work {
    /// An event of a pod with this id.
    pub fn of_pod(event: Event, pod_id: impl Into<String>) -> Self {
        Self::Event { event, pod_id: pod_id.into(), container_id: None }
    }

    /// An event of a container with this id, of a pod with this one.
    pub fn of_container(
        event: Event,
        pod_id: impl Into<String>,
        container_id: impl Into<String>,
    ) -> Self {
        Self::Event { event, pod_id: pod_id.into(), container_id: Some(container_id.into()) }
    }

    /// The call's name, without what it is about.
    pub fn call(&self) -> &'static str {
        match self {
            Self::Configure => "Configure",
            Self::Synchronize => "Synchronize",
            Self::Shutdown => "Shutdown",
            Self::Event { event, .. } => event.name(),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configure | Self::Synchronize | Self::Shutdown => f.write_str(self.call()),
            Self::Event { event, pod_id, container_id: None } => {
                write!(f, "{event} of pod {}", one_line(pod_id))
            }
            Self::Event { event, pod_id, container_id: Some(container_id) } => {
                let (container, pod) = (one_line(container_id), one_line(pod_id));
                write!(f, "{event} of container {container} of pod {pod}")
            }
        }
    }
}

/// The refusal for work that did not end inside its budget.
pub(crate) fn still_working(work: &Work, budget: Duration) -> Refusal {
    let call = work.call();
    Refusal::new(format!("{call} takes longer than {budget:.1?}; it goes on, try again"))
}
