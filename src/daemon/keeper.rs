//! Keeps leases true while the daemon runs: looks at them when a link of ours comes or goes on the host, when the runtime
//! told of its pods, and now and then. On a thread of its own, since looking blocks; what to do is `operation`'s.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use crate::{
    frontend::nri::Pods,
    kernel::{LinkEvents, LinuxKernel},
    operation::{self, Finding, Mended, Retry},
    types::Deadline,
};

/// How often leases are looked at without a reason. What could not be taken back is tried again then.
const NOW_AND_THEN: Duration = Duration::from_secs(30);

/// How long to wait after a reason for more of them: a namespace that dies gives one for each of its devices.
const SETTLE: Duration = Duration::from_millis(30);

/// How long one look may wait for a device that is on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts to look, at once and from then on, for as long as the process lives. The bell is rung by [`ring`].
pub(super) fn start(pods: Arc<Pods>) -> io::Result<SyncSender<()>> {
    // One place: a bell that rings already need not be rung again.
    let (bell, heard) = sync_channel(1);
    let events = LinkEvents::open().map_err(io::Error::other)?;
    let rope = bell.clone();
    thread::Builder::new().name("watch".to_owned()).spawn(move || watch(events, &rope))?;
    thread::Builder::new().name("keeper".to_owned()).spawn(move || keep(&pods, &heard))?;
    ring(&bell);
    Ok(bell)
}

/// Says that there is a reason to look.
pub(super) fn ring(bell: &SyncSender<()>) {
    // Full means that it rings; disconnected, that nobody is left to hear.
    let _ = bell.try_send(());
}

/// Rings whenever a link of ours comes or goes on the host.
fn watch(mut events: LinkEvents, bell: &SyncSender<()>) {
    loop {
        match events.wait_for_ours() {
            Ok(()) => ring(bell),
            Err(error) => {
                // Looking now and then goes on; it is only slower.
                tracing::error!(%error, "no longer watching the kernel");
                return;
            }
        }
    }
}

fn keep(pods: &Pods, heard: &Receiver<()>) {
    loop {
        // A bell says that leases may be wrong. VFs are looked at one by one, which costs: only now and then.
        let is_time = match heard.recv_timeout(NOW_AND_THEN) {
            Ok(()) => false,
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        thread::sleep(SETTLE);
        // Whatever one lease brings about, the others are looked at next time.
        match catch_unwind(AssertUnwindSafe(|| look(pods, is_time))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "leases were not looked at"),
            Err(_panic) => tracing::error!("leases were not looked at: please report this"),
        }
    }
}

fn look(pods: &Pods, at_devices: bool) -> Result<(), operation::OperationError> {
    let mut kernel = LinuxKernel::open()?;
    let context = pods.context();
    let deadline = Deadline::after(PATIENCE);
    let mut findings = operation::reconcile(
        &mut kernel,
        &context,
        |lease| pods.is_gone(lease),
        Retry::InTime,
        false,
        deadline,
    )?;
    if at_devices {
        findings.extend(operation::audit(&mut kernel, &context, false, deadline)?);
    }
    for finding in &findings {
        tell(finding);
    }
    Ok(())
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
