//! Answers one call inside its budget, whatever its handler does. Runs the handler as a task that
//! nothing cancels; does not know the connection.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use protobuf::Message;
use tokio::task::JoinHandle;
use tokio::time::timeout_at;
use ttrpc::Code;

use crate::call::Call;
use crate::error::Refusal;
use crate::event::Event;
use crate::event_set::EventSet;
use crate::failure_policy::FailurePolicy;
use crate::incoming::Occurrence;
use crate::log;
use crate::plugin::Plugin;
use crate::update::ContainerUpdate;
use crate::wire::{nri as wire, present};
use crate::work::Work;

/// The payload of an answer, or the status that refuses.
pub(crate) type Answer = Result<Vec<u8>, Status>;

/// A refusal on the wire.
#[derive(Debug, PartialEq)]
pub(crate) struct Status {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Status {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Waits for a handler's task, but only as long as the budget; then the plugin chooses.
pub(crate) async fn within<P: Plugin>(
    call: &Call,
    plugin: Arc<P>,
    task: JoinHandle<Result<Vec<u8>, Refusal>>,
    accepted: Vec<u8>,
) -> Answer {
    match timeout_at(call.deadline(), task).await {
        Ok(Ok(answer)) => answer.map_err(|refusal| refused(call.work(), &refusal)),
        Ok(Err(_panicked)) => Err(panicked(call.work())),
        Err(_elapsed) => late(call, &*plugin, accepted),
    }
}

fn refused(work: &Work, refusal: &Refusal) -> Status {
    log::info!(%work, reason = refusal.reason(), "refused");
    // Any code makes the runtime report the message, but UNIMPLEMENTED would make it call again.
    Status::new(Code::FAILED_PRECONDITION, refusal.reason())
}

fn panicked(work: &Work) -> Status {
    log::error!(%work, "the plugin panicked; the call is refused");
    Status::new(Code::INTERNAL, format!("{}: the plugin failed; see its log", work.call()))
}

fn late<P: Plugin>(call: &Call, plugin: &P, accepted: Vec<u8>) -> Answer {
    let (work, budget) = (call.work(), call.budget());
    let choice = catch_unwind(AssertUnwindSafe(|| plugin.late(call)));
    let Ok(answer) = choice else { return Err(panicked(work)) };
    let accepts = answer.is_ok();
    log::warn!(%work, budget = ?budget.time(), accepts, "answered before the handler ended");
    match answer {
        Ok(()) => Ok(accepted),
        Err(refusal) => Err(Status::new(Code::ABORTED, refusal.reason())),
    }
}

/// How long the runtime waits for the answer to one call, by its own word; none if it did not say.
pub(crate) fn patience(timeout_nano: i64) -> Option<Duration> {
    u64::try_from(timeout_nano).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos)
}

/// Calls the handler of an event; gives the payload of the answer.
pub(crate) async fn handle<P: Plugin>(
    plugin: Arc<P>,
    call: &Call,
    occurrence: Box<Occurrence>,
) -> Result<Vec<u8>, Refusal> {
    let Occurrence { event, pod, container, pod_update, resources, validation } = *occurrence;
    match event {
        Event::RunPodSandbox => empty(plugin.run_pod_sandbox(call, pod)).await,
        Event::StopPodSandbox => empty(plugin.stop_pod_sandbox(call, pod)).await,
        Event::RemovePodSandbox => empty(plugin.remove_pod_sandbox(call, pod)).await,
        Event::UpdatePodSandbox => empty(plugin.update_pod_sandbox(call, pod, pod_update)).await,
        Event::PostUpdatePodSandbox => empty(plugin.post_update_pod_sandbox(call, pod)).await,
        Event::CreateContainer => {
            let creation = plugin.create_container(call, pod, container).await?;
            encode(&wire::CreateContainerResponse::from(creation))
        }
        Event::PostCreateContainer => {
            empty(plugin.post_create_container(call, pod, container)).await
        }
        Event::StartContainer => empty(plugin.start_container(call, pod, container)).await,
        Event::PostStartContainer => empty(plugin.post_start_container(call, pod, container)).await,
        Event::UpdateContainer => {
            updated(plugin.update_container(call, pod, container, resources).await?)
        }
        Event::PostUpdateContainer => {
            empty(plugin.post_update_container(call, pod, container)).await
        }
        Event::StopContainer => updated(plugin.stop_container(call, pod, container).await?),
        Event::RemoveContainer => empty(plugin.remove_container(call, pod, container)).await,
        Event::ValidateContainerAdjustment => {
            validated(plugin.validate_container_adjustment(call, pod, container, validation).await)
        }
    }
}

/// An empty message is encoded as nothing.
async fn empty(
    handler: impl Future<Output = Result<(), Refusal>> + Send,
) -> Result<Vec<u8>, Refusal> {
    handler.await?;
    Ok(Vec::new())
}

/// The answers to an update and to a stop are alike on the wire.
fn updated(updates: Vec<ContainerUpdate>) -> Result<Vec<u8>, Refusal> {
    encode(&wire::StopContainerResponse { updates: onto_wire(updates), ..Default::default() })
}

/// A refusal is an answer here: the runtime says whose it is.
fn validated(verdict: Result<(), Refusal>) -> Result<Vec<u8>, Refusal> {
    let Err(refusal) = verdict else { return Ok(Vec::new()) };
    let reason = refusal.reason().to_owned();
    encode(&wire::ValidationResponse { reject: true, reason, ..Default::default() })
}

/// The last answer to a synchronization.
pub(crate) fn synchronized(updates: Vec<ContainerUpdate>) -> Result<Vec<u8>, Refusal> {
    encode(&wire::SynchronizeResponse { updates: onto_wire(updates), ..Default::default() })
}

/// The answer to a part of a synchronization that is not the last.
pub(crate) fn more() -> Answer {
    let more = wire::SynchronizeResponse { more: true, ..Default::default() };
    encode(&more).map_err(|refusal| Status::new(Code::INTERNAL, refusal.reason()))
}

/// The answer to a configuration.
pub(crate) fn configured(subscribed: EventSet, policy: FailurePolicy) -> Result<Vec<u8>, Refusal> {
    let events = subscribed.subscription();
    let failure_policy = present(wire::FailurePolicy::from(policy));
    encode(&wire::ConfigureResponse { events, failure_policy, ..Default::default() })
}

fn onto_wire(updates: Vec<ContainerUpdate>) -> Vec<wire::ContainerUpdate> {
    updates.into_iter().map(wire::ContainerUpdate::from).collect()
}

fn encode(message: &impl Message) -> Result<Vec<u8>, Refusal> {
    message.write_to_bytes().map_err(|error| Refusal::new(format!("cannot encode: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_is_none_was_not_told() {
        assert_eq!((patience(0), patience(-5)), (None, None));
        assert_eq!(patience(10_000_000_000), Some(Duration::from_secs(10)));
    }
}
