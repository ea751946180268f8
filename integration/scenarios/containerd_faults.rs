//! Attaching is slow, and fails at each of its netlink messages in turn: no container is created meanwhile, nothing is left of the try, the
//! plugin is not thrown out, and kubelet's next try succeeds. In the end containerd starts again with what it has on disk.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, fcntl_lock};

use crate::guest::command::{cmd, eventually};
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::cri::{Pod, refused};
use crate::guest::failure::Failure;
use crate::guest::serve::Serve;
use crate::guest::{Guest, vfhook};

use super::containerd_scene::{self as scene, asking, reaches};

/// Held by every vfhook while it chooses, for a moment.
const TABLE_LOCK: &str = "/run/vfhook/lock";
/// More messages than an attachment has.
const MESSAGES: usize = 60;
/// Fewer than one has: with less the faults did not reach it.
const FEWEST: usize = 15;
/// Where strace says which calls it made fail.
const TRACE: &str = "/tmp/faults.trace";

pub(crate) fn prepare(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    scene::prepare(guest, edition, PodNetwork::Ptp)
}

pub(crate) fn run(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    let containerd = Containerd::handle(edition);
    slow(guest, containerd)?;
    let failed = failing(guest, containerd)?;
    guest.check("each message was made to fail", failed >= FEWEST, failed)?;
    guest.step("containerd starts again with what is left of all that");
    let connections = Serve::handle().connections()?;
    containerd.kill()?;
    containerd.start()?;
    Serve::handle().is_connected_since(connections)?;
    let left = containerd.cri.pods()?;
    guest.check("it has no pod", left.is_empty(), format!("{left:?}"))
}

/// What stops vfhook is outside of it: somebody holds the lock that choosing needs, for longer than containerd waits.
fn slow(guest: &mut Guest, containerd: Containerd) -> Result<(), Failure> {
    guest.step("attaching takes longer than containerd waits: vfhook answers before");
    let connections = Serve::handle().connections()?;
    let lock = hold(TABLE_LOCK)?;
    let pod = asking("slow", "storage");
    let sandbox = keeps_out(guest, containerd, &pod, &["vfhook", "lease table"])?;
    guest.check("nothing was attached", leases()? == 0, "there is a lease")?;
    let still = Serve::handle().connections()? == connections;
    guest.check("containerd keeps its plugin", still, "it was thrown out")?;
    guest.step("it is fast again: the next try succeeds");
    drop(lock);
    next_try(guest, containerd, &pod, sandbox)
}

fn failing(guest: &mut Guest, containerd: Containerd) -> Result<usize, Failure> {
    for message in 1..=MESSAGES {
        guest.step(&format!("netlink message {message} of attaching fails"));
        let pod = asking(&format!("fails-{message}"), "storage");
        let tracer = Tracer::fail(message)?;
        let ran = containerd.cri.run_pod(&pod);
        if !Tracer::has_struck()? {
            tracer.detach()?;
            return all_went_well(guest, containerd, &pod, ran?, message - 1);
        }
        let sandbox = if containerd.refuses_sandboxes()? {
            guest.expect(refused(ran, &["vfhook"]))?;
            None
        } else {
            let sandbox = ran?;
            guest.expect(refused(containerd.cri.create(&sandbox, &pod, "main"), &["vfhook"]))?;
            Some(sandbox)
        };
        tracer.detach()?;
        let whole = leases()? == 0;
        guest.check("all was taken back", whole, vfhook("status").ok()?.text())?;
        if message % 8 == 1 {
            next_try(guest, containerd, &pod, sandbox)?;
        } else {
            scene::remove_all(containerd.cri)?;
        }
    }
    Err(Failure::unmet("an attachment has an end", format!("{MESSAGES} messages failed")))
}

fn all_went_well(
    guest: &mut Guest,
    containerd: Containerd,
    pod: &Pod,
    sandbox: String,
    failed: usize,
) -> Result<usize, Failure> {
    guest.step("no message was left to fail: the pod has what it asked for");
    let pod = scene::fill(containerd.cri, pod, sandbox)?;
    reaches(guest, &pod, "net1", "svc0")?;
    scene::remove(containerd.cri, &pod)?;
    guest.must_be_as_before("after all faults")?;
    Ok(failed)
}

/// The pod's container is refused with these words; its sandbox, where this containerd keeps it.
fn keeps_out(
    guest: &mut Guest,
    containerd: Containerd,
    pod: &Pod,
    words: &[&str],
) -> Result<Option<String>, Failure> {
    let ran = containerd.cri.run_pod(pod);
    if containerd.refuses_sandboxes()? {
        guest.expect(refused(ran, words))?;
        return Ok(None);
    }
    let sandbox = guest.expect(ran)?;
    guest.expect(refused(containerd.cri.create(&sandbox, pod, "main"), words))?;
    Ok(Some(sandbox))
}

/// What kubelet does next succeeds, and nothing is left in the end.
fn next_try(
    guest: &mut Guest,
    containerd: Containerd,
    pod: &Pod,
    sandbox: Option<String>,
) -> Result<(), Failure> {
    let pod = match sandbox {
        Some(sandbox) => scene::fill(containerd.cri, pod, sandbox)?,
        None => scene::run(containerd.cri, &pod.clone().again())?,
    };
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
        let inject = format!("inject=sendto:error=ENOBUFS:when={message}");
        let running = cmd(&format!("strace -f -qq -p {daemon} -o {TRACE} -e trace=sendto -e"))
            .arg(inject)
            .start()?;
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

    /// Whether a call was made to fail.
    fn has_struck() -> Result<bool, Failure> {
        let text = std::fs::read_to_string(TRACE).map_err(Failure::file("read", TRACE))?;
        Ok(text.contains("(INJECTED)"))
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
