//! Attaching is slow, and fails at its netlink messages in turn: no container is created meanwhile, nothing is left of the try, the
//! plugin is not thrown out, and kubelet's next try succeeds. In the end containerd starts again with what it has on disk.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, fcntl_lock};

use crate::guest::command::{cmd, eventually};
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::cri::{Pod, refused};
use crate::guest::dice::Dice;
use crate::guest::failure::Failure;
use crate::guest::serve::Serve;
use crate::guest::strace::{self, Fails};
use crate::guest::{Guest, interface, vfhook};

use super::containerd_scene::{self as scene, asking, reaches};

use super::Scenario;

pub(super) const ONE: Scenario = Scenario::new(
    "containerd1_faults",
    500,
    "containerd 1.7: attaching is slow, and fails at each step",
    |guest| run(guest, Edition::One, 1),
)
.prepared(|guest| prepare(guest, Edition::One))
.by_name();
pub(super) const TWO: Scenario = Scenario::new(
    "containerd2_faults",
    500,
    "containerd 2: attaching is slow, and fails at every other step",
    |guest| run(guest, Edition::Two, 2),
)
.prepared(|guest| prepare(guest, Edition::Two));

/// Held by every vfhook while it chooses, for a moment.
const TABLE_LOCK: &str = "/run/vfhook/lock";
/// The first message that is made to fail. Those before only look; and vfhook's first answers to containerd, which are calls of the same
/// kind, shall arrive.
const FIRST: usize = 4;
/// More than an attachment has messages.
const TRIES: usize = 40;
/// An attachment has at least so many messages that matter: with fewer failing the faults did not reach them.
const FEWEST: usize = 12;
/// Messages that fail nothing when they get lost: an announcement, the number that the host has for a namespace, and the look whether the
/// masquerade rules are there, without which they are put there.
const HARMLESS: usize = 3;
const ERRNO: &str = "ENOBUFS";

fn prepare(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    scene::prepare(guest, edition, PodNetwork::Ptp)
}

/// Of so many messages one is made to fail.
fn run(guest: &mut Guest, edition: Edition, stride: usize) -> Result<(), Failure> {
    let containerd = Containerd::handle(edition);
    slow(guest, containerd)?;
    let before = Serve::handle().failures()?;
    let struck = failing(guest, containerd, stride)?;
    let failed = Serve::handle().failures()? - before;
    let told = format!("{struck} messages failed, {failed} tries");
    guest.step(&told);
    guest.check(
        "tries failed, at each message but few",
        failed >= FEWEST / stride && failed + HARMLESS >= struck,
        told,
    )?;
    guest.step("containerd starts again with what is left of all that");
    let connections = Serve::handle().connections()?;
    containerd.kill()?;
    containerd.start()?;
    Serve::handle().is_connected_since(connections)?;
    let left = containerd.cri.pods()?;
    guest.check("it has no pod", left.is_empty(), format!("{left:?}"))
}

/// What stops vfhook is outside of it: somebody holds the lock that recording needs, for longer than containerd waits.
fn slow(guest: &mut Guest, containerd: Containerd) -> Result<(), Failure> {
    guest.step("attaching takes longer than containerd waits: vfhook answers before");
    let connections = Serve::handle().connections()?;
    let lock = hold(TABLE_LOCK)?;
    let pod = asking("slow", "storage");
    let sandbox = scene::keeps_out(guest, containerd, &pod, &["vfhook", "did not finish in time"])?;
    guest.check("nothing was attached", leases()? == 0, "there is a lease")?;
    let still = Serve::handle().connections()? == connections;
    guest.check("containerd keeps its plugin", still, "it was thrown out")?;
    guest.step("it is fast again: the next try succeeds");
    drop(lock);
    next_try(guest, containerd, &pod, sandbox)
}

/// Each of these pods has its VF in the end, or no container. How many messages were made to fail.
fn failing(guest: &mut Guest, containerd: Containerd, stride: usize) -> Result<usize, Failure> {
    let first = FIRST + Dice::new(guest.seed).index(stride);
    let mut message = first;
    for number in 0..TRIES {
        guest.step(&format!("netlink message {message} of attaching fails"));
        let pod = asking(&format!("fails-{number}"), "storage");
        let tracer = Tracer::fail(message)?;
        let ran = scene::run(containerd.cri, &pod);
        let struck = strace::has_struck()?;
        tracer.detach()?;
        let has_it = has_it_or_no_container(guest, containerd, ran)?;
        if has_it && !struck {
            guest.must_be_as_before("after all faults")?;
            return Ok((message - first) / stride);
        }
        // Traced and emulated, it may run out of time before it comes to this message: then it is tried again.
        message += if struck { stride } else { 0 };
    }
    Err(Failure::unmet("an attachment has an end", format!("{TRIES} tries, message {message}")))
}

/// Whether the pod has its container, which then has its VF. Otherwise nothing is left half done.
fn has_it_or_no_container(
    guest: &mut Guest,
    containerd: Containerd,
    ran: Result<scene::Running, Failure>,
) -> Result<bool, Failure> {
    let failure = match ran {
        Ok(pod) => {
            guest.expect(interface::pci_of(&pod.place, "net1"))?;
            scene::remove(containerd.cri, &pod)?;
            return Ok(true);
        }
        Err(failure) => failure,
    };
    guest.expect(refused::<()>(Err(failure), &["vfhook"]))?;
    nothing_half_done(guest)?;
    scene::remove_all(containerd.cri)?;
    Ok(false)
}

/// The fault may strike what undoes a try that ran out of time: then that is known, with its cause, and can be ended.
fn nothing_half_done(guest: &mut Guest) -> Result<(), Failure> {
    let left = attention()?;
    let told = left.iter().all(|line| line.contains(ERRNO));
    guest.check("what could not be undone is told with its cause", told, left.join("\n"))?;
    if !left.is_empty() {
        vfhook("reconcile").ok()?;
    }
    let left = attention()?;
    guest.check("nothing is half done", left.is_empty(), left.join("\n"))
}

fn attention() -> Result<Vec<String>, Failure> {
    let status = vfhook("status --json").ok()?.json()?;
    let lines = status["attention"].as_array().into_iter().flatten();
    Ok(lines.map(|line| line.as_str().unwrap_or_default().to_owned()).collect())
}

/// What kubelet does next succeeds, and nothing is left in the end.
fn next_try(
    guest: &mut Guest,
    containerd: Containerd,
    pod: &Pod,
    sandbox: Option<String>,
) -> Result<(), Failure> {
    let pod = scene::try_again(containerd.cri, pod, sandbox)?;
    reaches(guest, &pod, "net1", "svc0")?;
    scene::remove(containerd.cri, &pod)?;
    guest.must_be_as_before("after a try that succeeded")
}

fn leases() -> Result<usize, Failure> {
    let status = vfhook("status --json").ok()?.json()?;
    Ok(status["leases"].as_array().map_or(usize::MAX, Vec::len))
}

fn hold(path: &str) -> Result<File, Failure> {
    let file = File::options().read(true).write(true).open(path);
    let file = file.map_err(Failure::file("open", path))?;
    fcntl_lock(&file, FlockOperation::LockExclusive)
        .map_err(|errno| Failure::file("lock", path)(errno.into()))?;
    Ok(file)
}

/// strace around the daemon: it makes one call of each thread fail.
struct Tracer {
    strace: u32,
}

impl Tracer {
    /// Makes each thread's netlink message of this number fail, until it is detached.
    fn fail(message: usize) -> Result<Self, Failure> {
        let daemon = Serve::handle().pid()?;
        let strace = strace::line(ERRNO, Fails::Only(message));
        let running = cmd(&format!("{strace} -p {daemon}")).start()?;
        let tracer = Self { strace: running.pid() };
        // Dropping the handle leaves it running; it ends when it is told to.
        drop(running);
        eventually("strace around the daemon", 20, || {
            if traced_by(daemon)? == tracer.strace {
                return Ok(());
            }
            Err(Failure::unmet("it is traced", traced_by(daemon)?))
        })?;
        Ok(tracer)
    }

    fn detach(self) -> Result<(), Failure> {
        let daemon = Serve::handle().pid()?;
        cmd(&format!("kill -INT {}", self.strace)).ok()?;
        eventually("a daemon without strace", 20, || {
            if traced_by(daemon)? == 0 {
                return Ok(());
            }
            Err(Failure::unmet("it is not traced", traced_by(daemon)?))
        })
    }
}

/// The process that traces this one; 0 when none does.
fn traced_by(pid: u32) -> Result<u32, Failure> {
    let path = Path::new("/proc").join(pid.to_string()).join("status");
    let text = std::fs::read_to_string(&path).map_err(Failure::file("read", &path))?;
    let line = text.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap_or_default();
    line.trim().parse().map_err(|_| Failure::unmet("the kernel says who traces", line))
}
