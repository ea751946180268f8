//! What the work of a contender comes to, counted apart from the timing, which it would disturb: messages, system calls, page
//! faults, time on a processor. What the bench itself does for a contender that is another process is not in it.

use std::{fs, io, process};

use nix::unistd::gettid;
use serde::Serialize;

use crate::{
    contender::{Contender, Worker},
    perf::{Perf, Reading},
};

/// Rounds that are counted of each contender at most.
const ENOUGH: usize = 30;

/// Of one attachment or detachment on average; `None` where it cannot be known.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) messages: Option<u64>,
    pub(crate) system_calls: Option<f64>,
    pub(crate) page_faults: Option<f64>,
    /// On a processor, in milliseconds.
    pub(crate) kernel_ms: Option<f64>,
    pub(crate) outside_ms: Option<f64>,
}

/// Of attaching and of detaching.
pub(crate) fn count(contender: &mut dyn Contender, rounds: usize) -> [Counts; 2] {
    let mut counts = meter(contender, rounds.min(ENOUGH)).unwrap_or_else(|error| {
        eprintln!("{} is not counted: {error}", contender.name());
        [Counts::default(); 2]
    });
    for (counts, messages) in counts.iter_mut().zip(contender.messages()) {
        counts.messages = messages;
    }
    counts
}

fn meter(contender: &mut dyn Contender, rounds: usize) -> io::Result<[Counts; 2]> {
    let mut meter = Meter::of(contender.worker())?;
    let mut sums = [Reading { calls: Some(0), ..Reading::default() }; 2];
    for _ in 0..rounds {
        let (attach, detach) =
            (meter.during(|| contender.attach())?, meter.during(|| contender.detach())?);
        contender.settle();
        add(&mut sums[0], attach);
        add(&mut sums[1], detach);
    }
    Ok(sums.map(|sum| average(sum, rounds)))
}

/// Counters of whoever does the work.
struct Meter {
    worker: Worker,
    all: Perf,
    /// What the calling thread does for its children.
    own: Option<Perf>,
}

impl Meter {
    fn of(worker: Worker) -> io::Result<Self> {
        let caller = [gettid().as_raw()];
        let all = match worker {
            Worker::Bench | Worker::Children => Perf::of(&caller, true, true)?,
            Worker::Daemon(pid) => Perf::of(&threads(pid)?, true, true)?,
        };
        let own = match worker {
            Worker::Children => Some(Perf::of(&caller, false, false)?),
            Worker::Bench | Worker::Daemon(_) => None,
        };
        Ok(Self { worker, all, own })
    }

    fn during(&mut self, work: impl FnOnce()) -> io::Result<Reading> {
        let before = self.read()?;
        work();
        Ok(self.read()?.since(before))
    }

    fn read(&mut self) -> io::Result<Reading> {
        let children_only = matches!(self.worker, Worker::Children);
        let all = self.all.read(|process| !children_only || process != process::id())?;
        let Some(own) = &mut self.own else { return Ok(all) };
        Ok(all.since(own.read(|_| false)?))
    }
}

fn threads(pid: u32) -> io::Result<Vec<i32>> {
    let listed = fs::read_dir(format!("/proc/{pid}/task"))?;
    let number = |entry: io::Result<fs::DirEntry>| {
        let name = entry?.file_name();
        name.to_string_lossy().parse().map_err(io::Error::other)
    };
    listed.map(number).collect()
}

fn add(sum: &mut Reading, more: Reading) {
    sum.calls = sum.calls.zip(more.calls).map(|(sum, more)| sum + more);
    sum.faults += more.faults;
    sum.nanoseconds += more.nanoseconds;
    sum.samples += more.samples;
    sum.samples_in_kernel += more.samples_in_kernel;
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn average(sum: Reading, rounds: usize) -> Counts {
    let one = |sum: u64| sum as f64 / rounds as f64;
    let busy = one(sum.nanoseconds) / 1e6;
    let part = (sum.samples > 0).then(|| sum.samples_in_kernel as f64 / sum.samples as f64);
    Counts {
        messages: None,
        // Nothing is done without any: some kernels do not count those of children.
        system_calls: sum.calls.filter(|calls| *calls > 0).map(one),
        page_faults: Some(one(sum.faults)),
        kernel_ms: part.map(|part| busy * part),
        outside_ms: part.map(|part| busy * (1.0 - part)),
    }
}
