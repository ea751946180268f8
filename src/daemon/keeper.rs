//! Keeps leases true while the daemon runs: looks at the lease that an event names, at all of them every few seconds, and at the
//! devices of nobody now and then. Each look has a clock of its own, so that no stream of events starves another. On a thread of
//! its own, since looking blocks; what to do is `operation`'s.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::pulse::Pulse;
use crate::{
    frontend::nri::Pods,
    history::Way,
    kernel::{Concern, Heard, HostEvents, LinuxKernel},
    operation::{self, Finding, Mended, OperationError, Retry, Turn},
    types::Deadline,
};

/// How often leases are looked at without an event: most of what may break inside a sandbox gives none.
const IN_TURN: Duration = Duration::from_secs(3);

/// How many are looked at then. A look costs about half a millisecond, so many leases take turns and no number of them costs more
/// than a small part of a core.
const MOST: usize = 100;

/// How often devices that no lease holds are looked at.
const DEVICES: Duration = Duration::from_secs(30);

/// How often one lease is looked at however often it is named: a tenant may make events as fast as it likes.
const ONE: Duration = Duration::from_secs(1);

/// Of how many parts of the time at most one is spent on following services.
const SHARE: u32 = 10;

/// How long one look may wait for a device that is on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says that there is a reason to look.
#[derive(Debug, Clone)]
pub(super) struct Bell {
    due: Arc<Mutex<Due>>,
    rung: SyncSender<()>,
}

/// What is to be looked at.
#[derive(Debug, Default)]
struct Due {
    all: bool,
    /// What services there are, and no lease.
    services: bool,
    concerns: BTreeSet<Concern>,
}

impl Bell {
    /// All leases are to be looked at.
    pub(super) fn ring(&self) {
        self.say(|due| due.all = true);
    }

    /// What services there are is to be looked at.
    pub(super) fn ring_for_services(&self) {
        self.say(|due| due.services = true);
    }

    fn say(&self, what: impl FnOnce(&mut Due)) {
        what(&mut self.due.lock().unwrap_or_else(PoisonError::into_inner));
        // Full means that it rings; disconnected, that nobody is left to hear.
        let _ = self.rung.try_send(());
    }

    fn take(&self) -> Due {
        std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts to look, at once and from then on, for as long as the process lives.
pub(super) fn start(pods: Arc<Pods>, pulse: Arc<Pulse>) -> io::Result<Bell> {
    // One place: a bell that rings already need not be rung again.
    let (rung, heard) = sync_channel(1);
    let bell = Bell { due: Arc::default(), rung };
    watch("watch links", HostEvents::of_links().map_err(io::Error::other)?, &bell)?;
    // A kernel without nft has no table of ours to lose.
    match HostEvents::of_tables() {
        Ok(events) => watch("watch tables", events, &bell)?,
        Err(error) => tracing::warn!(%error, "events of nft are not heard"),
    }
    let rope = bell.clone();
    thread::Builder::new()
        .name("keeper".to_owned())
        .spawn(move || keep(&pods, &pulse, &heard, &rope))?;
    bell.ring();
    Ok(bell)
}

/// Rings whenever something is heard that concerns a lease.
fn watch(name: &str, mut events: HostEvents, bell: &Bell) -> io::Result<()> {
    let bell = bell.clone();
    let listen = move || loop {
        match events.wait() {
            Ok(Heard::Of(concerns)) => bell.say(|due| due.concerns.extend(concerns)),
            Ok(Heard::TooMuch) => bell.ring(),
            Err(error) => {
                // Looking now and then goes on; it is only slower.
                tracing::error!(%error, "no longer watching the kernel");
                return;
            }
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(listen).map(drop)
}

/// When what is looked at next without a reason, and when what was looked at last.
struct Clock {
    in_turn: Instant,
    turn: Turn,
    devices: Instant,
    /// When services may be looked at, and whether they are to be.
    services: Instant,
    services_again: bool,
    /// What events named lately, and when it was looked at.
    named: BTreeMap<Concern, Instant>,
    /// What they named again since.
    again: BTreeSet<Concern>,
}

fn keep(pods: &Pods, pulse: &Pulse, heard: &Receiver<()>, bell: &Bell) {
    let mut clock = Clock::begin(Instant::now());
    loop {
        let next = clock.next().saturating_duration_since(Instant::now());
        match heard.recv_timeout(next) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let due = bell.take();
        match catch_unwind(AssertUnwindSafe(|| look(pods, due, &mut clock))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "leases were not looked at"),
            // The hook for panics has said where. Looking goes on.
            Err(_) => tracing::error!("looking at leases panicked"),
        }
        pulse.beat();
    }
}

fn look(pods: &Pods, due: Due, clock: &mut Clock) -> Result<(), OperationError> {
    let began = Instant::now();
    let (at_all, in_turn) = (due.all, began >= clock.in_turn);
    let at_devices = began >= clock.devices;
    if at_all || in_turn {
        clock.in_turn = began + IN_TURN;
    }
    let at_services = clock.allows_services(due.services, began) && !at_all;
    let named = clock.allow(due.concerns, began);
    if !at_all && !in_turn && !at_devices && !at_services && named.is_empty() {
        return Ok(());
    }
    let mut kernel = LinuxKernel::open()?;
    let context = pods.context().used_by(Way::Keeper);
    let deadline = Deadline::after(PATIENCE);
    let mut findings = Vec::new();
    let gone = |lease: &_| pods.is_gone(lease);
    if at_all {
        findings.extend(operation::reconcile(
            &mut kernel,
            &context,
            gone,
            Retry::InTime,
            false,
            deadline,
        )?);
    } else if in_turn {
        let (kernel, turn) = (&mut kernel, &mut clock.turn);
        findings.extend(operation::attend_next(kernel, &context, turn, MOST, gone, deadline)?);
    }
    if at_services {
        let began = Instant::now();
        findings.extend(operation::follow_services(&mut kernel, &context, deadline)?);
        clock.services = clock.services.max(began + began.elapsed() * SHARE);
    }
    findings.extend(operation::attend(&mut kernel, &context, &named, gone, deadline)?);
    if at_devices {
        clock.devices = began + DEVICES;
        findings.extend(operation::audit(&mut kernel, &context, false, deadline)?);
    }
    for finding in &findings {
        tell(finding);
    }
    Ok(())
}

impl Clock {
    fn begin(now: Instant) -> Self {
        let (named, again) = (BTreeMap::new(), BTreeSet::new());
        Self {
            in_turn: now,
            turn: Turn::default(),
            devices: now + DEVICES,
            services: now,
            services_again: false,
            named,
            again,
        }
    }

    /// When there is a reason to look without an event.
    fn next(&self) -> Instant {
        let again = self.again.iter().filter_map(|concern| Some(*self.named.get(concern)? + ONE));
        let services = Some(self.services).filter(|_| self.services_again);
        let clocks = [self.in_turn, self.devices];
        again.chain(services).chain(clocks).min().unwrap_or(self.in_turn)
    }

    /// Whether it is time to look at services, of which a cluster may say something new as often as it likes.
    fn allows_services(&mut self, due: bool, now: Instant) -> bool {
        let is_due = due || self.services_again;
        let allowed = is_due && now >= self.services;
        self.services_again = is_due && !allowed;
        if allowed {
            self.services = now + ONE;
        }
        allowed
    }

    /// Those whose turn it is; the others wait until they were not looked at for a while.
    fn allow(&mut self, concerns: BTreeSet<Concern>, now: Instant) -> BTreeSet<Concern> {
        self.named.retain(|_, last| now < *last + ONE);
        let waiting = std::mem::take(&mut self.again).into_iter().chain(concerns);
        let (early, allowed) = waiting.partition(|concern| self.named.contains_key(concern));
        self.again = early;
        let allowed: BTreeSet<Concern> = allowed;
        self.named.extend(allowed.iter().map(|concern| (concern.clone(), now)));
        allowed
    }
}

fn tell(finding: &Finding) {
    let (subject, what) = (finding.subject(), &finding.what);
    match &finding.outcome {
        // What was taken back is in the log by then.
        Mended::Released | Mended::WouldRelease => tracing::info!(subject, what, "released"),
        Mended::Applied | Mended::WouldApply => tracing::info!(subject, what, "applied"),
        Mended::Failed(reason) => tracing::error!(subject, what, reason, "not mended"),
        Mended::LeftAlone => tracing::warn!(subject, what, "left alone"),
    }
}
