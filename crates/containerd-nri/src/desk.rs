//! Takes the runtime's calls one by one and has each answered: at once, or by a handler inside
//! its budget. Bounds the work taken; does not read or write the connection.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use ttrpc::{Code, Request};

use crate::answer::{self, Answer, Status, patience};
use crate::board::Board;
use crate::call::Call;
use crate::container::Container;
use crate::error::{Refusal, Violation};
use crate::incoming::{self, Incoming, Occurrence};
use crate::log;
use crate::plugin::Plugin;
use crate::pod::PodSandbox;
use crate::reply::encode;
use crate::runtime::{DEFAULT_REQUEST_TIMEOUT, RuntimeInfo};
use crate::state::Step;
use crate::wire::nri as wire;
use crate::work::Work;

const SERVICE: &str = "nri.pkg.api.v1alpha1.Plugin";

/// Requests under way, in KiB. Beyond it, calls are refused until some are done.
pub(crate) const ROOM_KIB: u32 = 16 * 1024;

/// All parts of a split synchronization together.
const LONGEST_SYNCHRONIZATION: usize = 64 << 20;

/// An answer on its way, and the step the session makes once it is given.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) bytes: Vec<u8>,
    pub(crate) step: Option<Step>,
}

/// Takes the calls of one connection.
pub(crate) struct Desk<P> {
    plugin: Arc<P>,
    board: Arc<Board>,
    out: mpsc::Sender<Outgoing>,
    room: Arc<Semaphore>,
    runtime: Option<Arc<RuntimeInfo>>,
    parts: Parts,
}

/// What is needed to answer one call, and the room it takes meanwhile.
struct Ticket {
    stream: u32,
    /// How long the runtime waits for this answer, if it said.
    patience: Option<Duration>,
    metadata: Vec<(String, String)>,
    room: OwnedSemaphorePermit,
}

impl<P: Plugin> Desk<P> {
    pub(crate) fn new(
        plugin: Arc<P>,
        room: Arc<Semaphore>,
        board: Arc<Board>,
        out: mpsc::Sender<Outgoing>,
    ) -> Self {
        Self { plugin, board, out, room, runtime: None, parts: Parts::default() }
    }

    /// Takes a call whose message had this size.
    pub(crate) async fn take(
        &mut self,
        stream: u32,
        request: Request,
        size: usize,
    ) -> Result<(), Violation> {
        let Request { service, method, payload, timeout_nano, metadata, .. } = request;
        if service != SERVICE {
            let message = format!("no service {service} here");
            self.give(stream, Err(Status::new(Code::UNIMPLEMENTED, message))).await;
            return Ok(());
        }
        let incoming = incoming::decode(method, &payload)?;
        drop(payload);
        let Some(room) = self.room_for(size) else {
            let message = "the plugin has too many calls under way; try again";
            self.give(stream, Err(Status::new(Code::RESOURCE_EXHAUSTED, message))).await;
            return Ok(());
        };
        let patience = patience(timeout_nano);
        let metadata = metadata.into_iter().map(|pair| (pair.key, pair.value)).collect();
        let ticket = Ticket { stream, patience, metadata, room };
        if let Some(answer) = self.start(ticket, incoming, size)? {
            self.give(stream, answer).await;
        }
        Ok(())
    }

    /// Starts the work on a call, or has its answer at once.
    fn start(
        &mut self,
        mut ticket: Ticket,
        incoming: Incoming,
        size: usize,
    ) -> Result<Option<Answer>, Violation> {
        match incoming {
            Incoming::Configure(hello) => self.configure(ticket, hello),
            Incoming::Synchronize { pods, containers, more } => {
                self.parts.add(pods, containers, size)?;
                if more {
                    return Ok(Some(answer::more()));
                }
                self.synchronize(ticket);
            }
            Incoming::Event(occurrence) if self.plugin.events().contains(occurrence.event) => {
                self.event(ticket, occurrence);
            }
            Incoming::Event(_) | Incoming::UnknownEvent => return Ok(Some(Ok(Vec::new()))),
            Incoming::Shutdown => {
                let (plugin, call) =
                    (Arc::clone(&self.plugin), self.call(&mut ticket, Work::Shutdown));
                let span = Arc::clone(&call);
                tokio::spawn(span.covers(async move { plugin.shutdown(&call).await }));
                return Ok(Some(Ok(Vec::new())));
            }
            Incoming::Nameless { method } => {
                let message = format!("{method} of a pod or container with no id");
                return Ok(Some(Err(Status::new(Code::INVALID_ARGUMENT, message))));
            }
            Incoming::UnknownMethod { method } => {
                let message = format!("no method {method} here");
                return Ok(Some(Err(Status::new(Code::UNIMPLEMENTED, message))));
            }
        }
        Ok(None)
    }

    fn configure(&mut self, mut ticket: Ticket, hello: wire::ConfigureRequest) {
        self.board.apply(Step::ConfigureCalled);
        self.parts = Parts::default();
        let wanted = self.plugin.events();
        let runtime = Arc::new(RuntimeInfo::new(hello, wanted, ticket.patience));
        self.runtime = Some(Arc::clone(&runtime));
        let accepted = answer::configured(runtime.subscribed, self.plugin.failure_policy());
        let chosen = Arc::new(OnceLock::new());
        let (plugin, choice) = (Arc::clone(&self.plugin), Arc::clone(&chosen));
        let (call, first) = (self.call(&mut ticket, Work::Configure), Arc::clone(&runtime));
        let told = Arc::clone(&call);
        let handler = async move {
            plugin.configure(&told, &first).await?;
            // The plugin may know better by now what it wants.
            let runtime = first.subscribed_to(plugin.events());
            let answer = answer::configured(runtime.subscribed, plugin.failure_policy());
            let _ = choice.set(Arc::new(runtime));
            answer
        };
        let step = move || Step::Configured(chosen.get().map_or(runtime, Arc::clone));
        self.work(ticket, call, handler, accepted.unwrap_or_default(), Some(step));
    }

    fn synchronize(&mut self, mut ticket: Ticket) {
        let Parts { pods, containers, .. } = std::mem::take(&mut self.parts);
        let (plugin, call) = (Arc::clone(&self.plugin), self.call(&mut ticket, Work::Synchronize));
        let told = Arc::clone(&call);
        let handler =
            async move { answer::synchronized(plugin.synchronize(&told, pods, containers).await?) };
        let step = || Step::Synchronized;
        self.work(ticket, call, handler, Vec::new(), Some(step));
    }

    fn event(&self, mut ticket: Ticket, occurrence: Box<Occurrence>) {
        let (plugin, call) = (Arc::clone(&self.plugin), self.call(&mut ticket, occurrence.work()));
        let told = Arc::clone(&call);
        let handler = async move { answer::handle(plugin, &told, occurrence).await };
        self.work(ticket, call, handler, Vec::new(), None::<fn() -> Step>);
    }

    /// What a handler is told of its call.
    fn call(&self, ticket: &mut Ticket, work: Work) -> Arc<Call> {
        // What the runtime says of this call is the truth; what it said of all is a guess about it.
        let usual = || self.runtime.as_ref().map(|runtime| runtime.request_timeout);
        let patience = ticket.patience.or_else(usual).unwrap_or(DEFAULT_REQUEST_TIMEOUT);
        let metadata = std::mem::take(&mut ticket.metadata);
        let call = Call::new(work, patience).with_metadata(metadata);
        Arc::new(call.with_runtime(self.runtime.clone()))
    }

    /// Has the handler do the work and the answer given. `accepted` is the answer if the handler
    /// is late and the plugin accepts; `step` is made once an answer that accepts is given.
    fn work<H, S>(
        &self,
        ticket: Ticket,
        call: Arc<Call>,
        handler: H,
        accepted: Vec<u8>,
        step: Option<S>,
    ) where
        H: Future<Output = Result<Vec<u8>, Refusal>> + Send + 'static,
        S: FnOnce() -> Step + Send + 'static,
    {
        let Ticket { stream, room, .. } = ticket;
        // Taken until the handler has ended and the answer is on its way, whichever is later.
        let room = Arc::new(room);
        let kept = Arc::clone(&room);
        let task = tokio::spawn(call.covers(async move {
            let _kept = kept;
            handler.await
        }));
        let (plugin, out) = (Arc::clone(&self.plugin), self.out.clone());
        let span = Arc::clone(&call);
        tokio::spawn(span.covers(async move {
            let answer = answer::within(&call, plugin, task, accepted).await;
            let step = step.filter(|_| answer.is_ok()).map(|step| step());
            // With the session gone there is nobody to answer.
            let _ = out.send(Outgoing { bytes: encode(stream, answer), step }).await;
            drop(room);
        }));
    }

    fn room_for(&self, size: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(size / 1024 + 1).unwrap_or(ROOM_KIB);
        Arc::clone(&self.room).try_acquire_many_owned(kib).ok()
    }

    async fn give(&self, stream: u32, answer: Answer) {
        if let Err(Status { code, message }) = &answer {
            log::warn!(?code, message, "refused a call");
        }
        let _ = self.out.send(Outgoing { bytes: encode(stream, answer), step: None }).await;
    }
}

/// Parts of a synchronization that is not complete.
#[derive(Debug, Default)]
struct Parts {
    pods: Vec<PodSandbox>,
    containers: Vec<Container>,
    bytes: usize,
}

impl Parts {
    fn add(
        &mut self,
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
        size: usize,
    ) -> Result<(), Violation> {
        self.bytes += size;
        if self.bytes > LONGEST_SYNCHRONIZATION {
            return Err(Violation::LongSynchronization { longest: LONGEST_SYNCHRONIZATION });
        }
        self.pods.extend(pods);
        self.containers.extend(containers);
        Ok(())
    }
}
