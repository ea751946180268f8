//! How much of the time that passes the host lets a guest have. It must not judge what the guest does with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A process's threads, and how long each has waited for a processor so far.
type Waits = BTreeMap<String, Duration>;

/// Follows one process.
#[derive(Debug)]
pub(crate) struct Granted {
    tasks: PathBuf,
    looked: Instant,
    waits: Waits,
}

impl Granted {
    /// Begins to follow the process.
    pub(crate) fn of(process: u32) -> Self {
        let tasks = PathBuf::from(format!("/proc/{process}/task"));
        let waits = read(&tasks);
        Self { tasks, looked: Instant::now(), waits }
    }

    /// What has passed since the last look, without the time in which a thread of the process could have run and the host ran others. A
    /// kernel that does not tell (`CONFIG_SCHED_INFO` is off) makes it all that has passed.
    pub(crate) fn since_last_look(&mut self) -> Duration {
        let now = Instant::now();
        let passed = now.duration_since(self.looked);
        let waits = read(&self.tasks);
        let granted = passed.saturating_sub(waited(&self.waits, &waits));
        self.looked = now;
        self.waits = waits;
        granted
    }
}

/// How long the thread that waited longest has waited between two readings: the guest is no faster than it.
fn waited(before: &Waits, after: &Waits) -> Duration {
    let since = |(thread, wait): (&String, &Duration)| {
        wait.saturating_sub(before.get(thread).copied().unwrap_or_default())
    };
    after.iter().map(since).max().unwrap_or_default()
}

fn read(tasks: &PathBuf) -> Waits {
    let Ok(entries) = fs::read_dir(tasks) else { return Waits::new() };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let text = fs::read_to_string(entry.path().join("schedstat")).ok()?;
            Some((entry.file_name().into_string().ok()?, waiting_time(&text)?))
        })
        .collect()
}

/// The second of a `schedstat`'s numbers: nanoseconds on a run queue without running.
fn waiting_time(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(threads: &[(&str, u64)]) -> Waits {
        threads.iter().map(|(name, ms)| ((*name).into(), Duration::from_millis(*ms))).collect()
    }

    #[test]
    fn waiting_is_the_second_number() {
        assert_eq!(waiting_time("987 1500000 3\n"), Some(Duration::from_micros(1500)));
        assert_eq!(waiting_time(""), None);
    }

    #[test]
    fn the_guest_has_waited_as_long_as_the_thread_that_waited_longest() {
        let before = waits(&[("1", 100), ("2", 900)]);
        let after = waits(&[("1", 150), ("2", 1_600), ("3", 20)]);
        assert_eq!(waited(&before, &after), Duration::from_millis(700));
    }

    #[test]
    fn a_kernel_that_does_not_tell_grants_all_that_passes() {
        assert_eq!(waited(&waits(&[]), &waits(&[])), Duration::ZERO);
    }

    #[test]
    fn a_process_that_sleeps_is_granted_its_time() {
        let mut granted = Granted::of(std::process::id());
        std::thread::sleep(Duration::from_millis(20));
        assert!(granted.since_last_look() <= Duration::from_secs(60));
    }
}
