//! The kernel's own counters (`perf_event_open(2)`) for a thread and all that it starts: system calls, minor page faults, time on a
//! processor. How much of that time was in the kernel is known by samples: what the kernel tells of a dead process is rounded to
//! ticks, of which most processes here see none.

use std::{fs, io, path::Path, thread};

use perf_event::{
    Builder, Counter, SampleFlag, Sampler,
    events::{Software, Tracepoint},
};

/// Nanoseconds between two samples.
const PERIOD: u64 = 50_000;
/// Of each buffer: what is sampled between two readings fits in many times over.
const BUFFER: usize = 1 << 17;
/// What a sample says of where it was taken (`PERF_RECORD_MISC_*`).
const MODE: u16 = 0b111;
const IN_KERNEL: u16 = 1;

/// Counters of some threads, and of everything they start from now on.
pub(crate) struct Perf {
    /// `None` where the kernel has no trace points.
    calls: Option<Vec<Counter>>,
    faults: Vec<Counter>,
    clocks: Vec<Counter>,
    samplers: Vec<Sampler>,
}

/// What they count, or what it grew by.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    pub(crate) calls: Option<u64>,
    pub(crate) faults: u64,
    pub(crate) nanoseconds: u64,
    pub(crate) samples: u64,
    pub(crate) samples_in_kernel: u64,
}

impl Perf {
    /// Opens and starts them. `with_children`: whether what the threads start counts; `with_samples` needs that.
    pub(crate) fn of(threads: &[i32], with_children: bool, with_samples: bool) -> io::Result<Self> {
        let each = |open: &dyn Fn(i32) -> io::Result<Counter>| -> io::Result<Vec<Counter>> {
            threads.iter().map(|&thread| open(thread)).collect()
        };
        let calls = call_event().and_then(|event| {
            each(&|thread| Self::counter(Builder::new(event), thread, with_children)).ok()
        });
        let software = |event: Software| {
            each(&|thread| Self::counter(Builder::new(event), thread, with_children))
        };
        let mut samplers = Vec::new();
        if with_samples {
            let processors = thread::available_parallelism().map_or(1, usize::from);
            for thread in threads {
                for processor in 0..processors {
                    samplers.push(sampler(*thread, processor)?);
                }
            }
        }
        let (faults, clocks) =
            (software(Software::PAGE_FAULTS_MIN)?, software(Software::TASK_CLOCK)?);
        Ok(Self { calls, faults, clocks, samplers })
    }

    fn counter(mut builder: Builder<'_>, thread: i32, with_children: bool) -> io::Result<Counter> {
        builder.observe_pid(thread).any_cpu().include_kernel().inherit(with_children).enabled(true);
        builder.build()
    }

    /// What they have counted; samples are those since the reading before. `of_interest` tells by its process whether one is.
    pub(crate) fn read(&mut self, of_interest: impl Fn(u32) -> bool) -> io::Result<Reading> {
        let sum = |counters: &mut Vec<Counter>| -> io::Result<u64> {
            counters.iter_mut().map(Counter::read).sum()
        };
        let mut reading = Reading {
            calls: self.calls.as_mut().map(sum).transpose()?,
            faults: sum(&mut self.faults)?,
            nanoseconds: sum(&mut self.clocks)?,
            ..Reading::default()
        };
        for sampler in &mut self.samplers {
            while let Some(record) = sampler.next_record() {
                let content = record.to_vec();
                // A sample has the process and the thread, four bytes each; what else is told has not this size.
                let Some(process) = content.first_chunk().filter(|_| content.len() == 8) else {
                    continue;
                };
                if of_interest(u32::from_ne_bytes(*process)) {
                    reading.samples += 1;
                    reading.samples_in_kernel += u64::from(record.misc() & MODE == IN_KERNEL);
                }
            }
        }
        Ok(reading)
    }
}

impl Reading {
    /// What was counted since the reading `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls.zip(before.calls).map(|(now, then)| now.saturating_sub(then)),
            faults: self.faults.saturating_sub(before.faults),
            nanoseconds: self.nanoseconds.saturating_sub(before.nanoseconds),
            ..self
        }
    }
}

/// A buffer of a thread's samples, and of what it starts, on one processor.
fn sampler(thread: i32, processor: usize) -> io::Result<Sampler> {
    let mut builder = Builder::new(Software::CPU_CLOCK);
    builder.observe_pid(thread).one_cpu(processor).include_kernel().inherit(true).enabled(true);
    builder.sample_period(PERIOD).sample(SampleFlag::TID).wakeup_watermark(BUFFER);
    builder.build()?.sampled(BUFFER)
}

/// The trace point that each system call passes.
fn call_event() -> Option<Tracepoint> {
    let path = Path::new("/sys/kernel/tracing");
    if !path.join("events").exists() {
        // In a mount namespace of our own.
        let kind = Some("tracefs");
        nix::mount::mount(kind, path, kind, nix::mount::MsFlags::empty(), None::<&str>).ok()?;
    }
    let id = fs::read_to_string(path.join("events/raw_syscalls/sys_enter/id")).ok()?;
    Some(Tracepoint::with_id(id.trim().parse().ok()?))
}
