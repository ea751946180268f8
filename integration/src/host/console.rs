//! Reads the guest's serial console and says what it means: a step, a sign of life, a panic, a stall. It must not decide a scenario's
//! verdict: that is in the result file, and the console only says why there is none.

use std::time::Duration;

use crate::verdict::MARK;

/// Without a sign of life for this long the guest is taken for hung. The runner sends one every few seconds; two guests emulated on a
/// loaded machine may well be slow, but not this slow.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(120);

/// The kernel is lost after these.
const PANIC: [&str; 5] = [
    "Kernel panic - not syncing",
    "BUG: unable to handle",
    "BUG: kernel NULL pointer",
    "Oops:",
    "general protection fault",
];
/// The kernel complains of these but may go on: they are told together with a failure, never instead of one.
const STALL: [&str; 4] =
    ["soft lockup", "blocked for more than", "self-detected stall", "detected stalls"];

/// What a line on the console means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The runner began a step.
    Step(String),
    /// The runner lives.
    Beat,
    /// The kernel is lost.
    Panic,
    /// The kernel says that something hangs.
    Stall,
    /// QEMU says why it gives up.
    EmulatorDeath,
    /// Anything else.
    Other,
}

/// What one line means.
pub(crate) fn read(line: &str) -> Sign {
    if PANIC.iter().any(|mark| line.contains(mark)) {
        return Sign::Panic;
    }
    if line.starts_with("qemu-system") && line.contains("Assertion") {
        return Sign::EmulatorDeath;
    }
    if STALL.iter().any(|mark| line.contains(mark)) {
        return Sign::Stall;
    }
    // The kernel writes to the same console and may begin a line that the runner then ends: look for the mark anywhere.
    let Some(own) = line.find(MARK).and_then(|at| line.get(at + MARK.len()..)) else {
        return Sign::Other;
    };
    match own.split_once(' ') {
        Some(("step", step)) => Sign::Step(step.trim().to_owned()),
        _ if own.trim() == "beat" => Sign::Beat,
        _ => Sign::Other,
    }
}

/// What the console has told so far.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    silent_for: Duration,
    step: Option<String>,
    panic: Option<String>,
    stall: Option<String>,
    emulator_death: Option<String>,
}

impl Watcher {
    /// Takes one line in.
    pub(crate) fn line(&mut self, line: &str) {
        self.silent_for = Duration::ZERO;
        match read(line) {
            Sign::Step(step) => self.step = Some(step),
            Sign::Panic => _ = self.panic.get_or_insert_with(|| line.trim().to_owned()),
            Sign::Stall => _ = self.stall.get_or_insert_with(|| line.trim().to_owned()),
            Sign::EmulatorDeath => self.emulator_death = Some(line.trim().to_owned()),
            Sign::Beat | Sign::Other => {}
        }
    }

    /// Lets time pass in which no line came.
    pub(crate) fn silence(&mut self, time: Duration) {
        self.silent_for += time;
    }

    /// Whether the kernel is lost.
    pub(crate) fn panicked(&self) -> bool {
        self.panic.is_some()
    }

    /// Whether there has been no sign of life for too long.
    pub(crate) fn hung(&self) -> bool {
        self.silent_for >= SILENCE_LIMIT
    }

    /// Why there is no verdict, as far as the console tells.
    pub(crate) fn reason(&self) -> String {
        let what = match (&self.panic, self.hung()) {
            (Some(line), _) => format!("the guest's kernel panicked: {line}"),
            (None, true) => {
                format!("the guest hung: silent for {} s", SILENCE_LIMIT.as_secs())
            }
            (None, false) => match &self.emulator_death {
                Some(line) => format!("QEMU itself died: {line}"),
                None => "the guest ended without a verdict".to_owned(),
            },
        };
        let step = self.step.as_deref().map_or_else(
            || " before the first step".to_owned(),
            |step| format!(" in the step \"{step}\""),
        );
        let stall = self
            .stall
            .as_deref()
            .map_or_else(String::new, |line| format!("; the kernel had complained: {line}"));
        format!("{what}{step}{stall}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_for_what_they_mean() {
        assert_eq!(read("lab: step ping the peer"), Sign::Step("ping the peer".into()));
        assert_eq!(read("[ 1.2] igb: lab: beat\r"), Sign::Beat);
        assert_eq!(read("[    9.1] Kernel panic - not syncing: Oops"), Sign::Panic);
        assert_eq!(read("watchdog: BUG: soft lockup - CPU#1 stuck for 26s!"), Sign::Stall);
        assert_eq!(read("INFO: task ip:312 blocked for more than 120 seconds."), Sign::Stall);
        let death = "qemu-system-x86_64: physmem.c:1: f: Assertion `x' failed.";
        assert_eq!(read(death), Sign::EmulatorDeath);
        assert_eq!(read("igb 0000:01:00.0: 7 VFs allocated"), Sign::Other);
    }

    #[test]
    fn a_panic_is_told_with_the_step_it_came_in() {
        let mut watcher = Watcher::default();
        watcher.line("lab: step attach");
        watcher.line("Kernel panic - not syncing: Fatal exception");
        watcher.line("---[ end Kernel panic - not syncing: second");
        assert!(watcher.panicked());
        assert_eq!(
            watcher.reason(),
            "the guest's kernel panicked: Kernel panic - not syncing: Fatal exception in the step \"attach\""
        );
    }

    #[test]
    fn silence_is_a_hang_and_a_beat_is_not() {
        let mut watcher = Watcher::default();
        watcher.silence(SILENCE_LIMIT / 2);
        watcher.line("lab: beat");
        watcher.silence(SILENCE_LIMIT / 2);
        assert!(!watcher.hung());
        watcher.silence(SILENCE_LIMIT / 2);
        assert!(watcher.hung() && watcher.reason().contains("before the first step"));
    }

    #[test]
    fn a_stall_alone_does_not_end_the_run_but_is_told() {
        let mut watcher = Watcher::default();
        watcher.line("rcu: INFO: rcu_preempt self-detected stall on CPU");
        assert!(!watcher.panicked() && !watcher.hung());
        assert!(watcher.reason().contains("self-detected stall"));
    }
}
