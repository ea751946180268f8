//! One call of a handler: what it is about, by when it must be answered, and what the runtime said besides. Plain data; answers
//! nothing.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::Budget;
use crate::runtime::RuntimeInfo;
use crate::work::Work;

/// One call of a handler.
///
/// Each handler gets one. It can be kept, and handed to a task of the plugin's own.
///
/// ```
/// use std::time::Duration;
/// use containerd_nri::{Call, Event, Work};
///
/// // As a test of a handler makes one.
/// let call = Call::new(Work::of_pod(Event::RunPodSandbox, "some-id"), Duration::from_secs(2));
/// assert_eq!(call.budget().time(), Duration::from_millis(1400));
/// assert!(call.time_left() <= Duration::from_millis(1400));
/// ```
#[derive(Clone, Debug)]
pub struct Call {
    work: Work,
    began: Instant,
    patience: Duration,
    metadata: Vec<(String, String)>,
    runtime: Option<Arc<RuntimeInfo>>,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Call {
    /// A call about this, which begins now and is waited for so long. For tests of handlers.
    pub fn new(work: Work, patience: Duration) -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: span(&work),
            work,
            began: Instant::now(),
            patience,
            metadata: Vec::new(),
            runtime: None,
        }
    }

    /// The same call, with what the runtime said besides.
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl IntoIterator<Item = (String, String)>) -> Self {
        self.metadata = metadata.into_iter().collect();
        self
    }

    /// The same call, by this runtime.
    #[must_use]
    pub fn with_runtime(mut self, runtime: Option<Arc<RuntimeInfo>>) -> Self {
        self.runtime = runtime;
        self
    }

    /// What the call is about.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// The time that the handler has, from the call's beginning.
    pub fn budget(&self) -> Budget {
        Budget::of(self.patience)
    }

    /// When the budget is spent, and [`Plugin::late`](crate::Plugin::late) answers.
    pub fn deadline(&self) -> Instant {
        self.began + self.budget().time()
    }

    /// What is left of the budget.
    pub fn time_left(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    /// How long the runtime waits for the answer, from the call's beginning.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// What the runtime said of the call besides, such as a `traceparent`: keys and values, in its order. No runtime must say
    /// anything.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The runtime that calls; none before it introduced itself.
    pub fn runtime(&self) -> Option<&Arc<RuntimeInfo>> {
        self.runtime.as_ref()
    }

    /// What a handler does, in its span.
    pub(crate) fn covers<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        #[cfg(feature = "tracing")]
        let work = tracing::Instrument::instrument(work, self.span.clone());
        work
    }

    /// The span that the handler runs in, for work that it leaves to others.
    #[cfg(feature = "tracing")]
    pub fn span(&self) -> &tracing::Span {
        &self.span
    }
}

#[cfg(feature = "tracing")]
fn span(work: &Work) -> tracing::Span {
    use crate::error::one_line;

    let call = work.call();
    match work {
        Work::Event { pod_id, container_id: None, .. } => {
            tracing::debug_span!("nri", call, pod = one_line(pod_id))
        }
        Work::Event { pod_id, container_id: Some(container), .. } => {
            tracing::debug_span!(
                "nri",
                call,
                pod = one_line(pod_id),
                container = one_line(container)
            )
        }
        _ => tracing::debug_span!("nri", call),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[tokio::test(start_paused = true)]
    async fn time_is_counted_from_the_beginning() {
        let call = Call::new(Work::Synchronize, Duration::from_secs(2));
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(call.time_left(), Duration::from_secs(1));
        assert_eq!(call.clone().deadline(), call.deadline());
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(call.time_left(), Duration::ZERO);
        assert_eq!((call.patience(), call.runtime()), (Duration::from_secs(2), None));
    }

    #[test]
    fn metadata_is_told_as_it_came() {
        let said = [("a", "1"), ("a", "2"), ("b", "")];
        let metadata = said.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let work = Work::of_container(Event::StopContainer, "p", "c");
        let call = Call::new(work, Duration::ZERO).with_metadata(metadata);
        assert!(call.metadata().eq(said));
    }
}
