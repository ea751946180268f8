//! Reads the guest's serial console and says what it means: a step, a sign of life, a panic, a stall. It must not decide a scenario's
//! verdict: that is in the result file, and the console only says why there is none.

use std::time::Duration;

use crate::verdict::{BEAT, MARK};

use super::guest_clock::GuestClock;

/// Without a sign of life in this much of the time that the host lets it have, the guest is taken for hung; so is one that has not begun.
/// The runner sends a sign every five seconds of the guest's, and is there some ten seconds after the start.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(90);

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
    /// The runner lives, and its clock has shown so much since it began.
    Beat(Duration),
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
        Some((BEAT, clock)) => {
            clock.trim().parse().map_or(Sign::Other, |ms| Sign::Beat(Duration::from_millis(ms)))
        }
        _ => Sign::Other,
    }
}

/// What the console has told so far.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// How long the guest may run by its own clock.
    limit: Duration,
    silent_for: Duration,
    /// The guest's clock by its beats.
    pub(crate) clock: GuestClock,
    step: Option<String>,
    panic: Option<String>,
    stall: Option<String>,
    emulator_death: Option<String>,
}

impl Watcher {
    /// Of a guest that may run for so long by its own clock.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            silent_for: Duration::ZERO,
            clock: GuestClock::default(),
            step: None,
            panic: None,
            stall: None,
            emulator_death: None,
        }
    }

    /// Takes in one line that came after so long.
    pub(crate) fn line(&mut self, line: &str, after: Duration) {
        match read(line) {
            Sign::Step(step) => {
                self.silent_for = Duration::ZERO;
                self.step = Some(step);
            }
            Sign::Beat(clock) => {
                self.silent_for = Duration::ZERO;
                self.clock.beat(clock, after);
            }
            Sign::Panic => _ = self.panic.get_or_insert_with(|| line.trim().to_owned()),
            Sign::Stall => _ = self.stall.get_or_insert_with(|| line.trim().to_owned()),
            Sign::EmulatorDeath => self.emulator_death = Some(line.trim().to_owned()),
            // A kernel that can only complain is no sign of life.
            Sign::Other => {}
        }
    }

    /// Lets time pass that the guest could have used.
    pub(crate) fn granted(&mut self, time: Duration) {
        self.silent_for += time;
    }

    /// Whether the kernel is lost.
    pub(crate) fn panicked(&self) -> bool {
        self.panic.is_some()
    }

    /// Whether the runner ever began: before that, nothing that happens is about the scenario.
    pub(crate) fn came_up(&self) -> bool {
        self.clock.runs() || self.step.is_some()
    }

    /// Whether the guest must be ended by force: it hangs, or goes on after it should have ended itself.
    pub(crate) fn must_end(&self) -> bool {
        self.hung() || self.overdue()
    }

    fn overdue(&self) -> bool {
        self.clock.elapsed() >= self.limit
    }

    /// Whether there has been no sign of life for too long.
    fn hung(&self) -> bool {
        self.silent_for >= SILENCE_LIMIT
    }

    /// Why there is no verdict, as far as the console tells.
    pub(crate) fn reason(&self) -> String {
        let what = match (&self.panic, self.hung()) {
            (Some(line), _) => format!("the guest's kernel panicked: {line}"),
            (None, true) => {
                format!(
                    "the guest hung: silent for {} s that it could have used",
                    SILENCE_LIMIT.as_secs()
                )
            }
            (None, false) if self.overdue() => {
                let seconds = self.clock.elapsed().as_secs();
                format!("the guest ran for {seconds} s by its own clock and gave no verdict")
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

    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn lines_are_read_for_what_they_mean() {
        assert_eq!(read("lab: step ping the peer"), Sign::Step("ping the peer".into()));
        assert_eq!(read("[ 1.2] igb: lab: beat 2004\r"), Sign::Beat(Duration::from_millis(2004)));
        assert_eq!(read("lab: beat"), Sign::Other);
        assert_eq!(read("[    9.1] Kernel panic - not syncing: Oops"), Sign::Panic);
        assert_eq!(read("watchdog: BUG: soft lockup - CPU#1 stuck for 26s!"), Sign::Stall);
        assert_eq!(read("INFO: task ip:312 blocked for more than 120 seconds."), Sign::Stall);
        let death = "qemu-system-x86_64: physmem.c:1: f: Assertion `x' failed.";
        assert_eq!(read(death), Sign::EmulatorDeath);
        assert_eq!(read("igb 0000:01:00.0: 7 VFs allocated"), Sign::Other);
    }

    #[test]
    fn a_panic_is_told_with_the_step_it_came_in() {
        let mut watcher = Watcher::new(Duration::from_secs(100));
        watcher.line("lab: step attach", NOW);
        watcher.line("Kernel panic - not syncing: Fatal exception", NOW);
        watcher.line("---[ end Kernel panic - not syncing: second", NOW);
        assert!(watcher.panicked());
        assert_eq!(
            watcher.reason(),
            "the guest's kernel panicked: Kernel panic - not syncing: Fatal exception in the step \"attach\""
        );
    }

    #[test]
    fn silence_is_a_hang_and_a_beat_is_not() {
        let mut watcher = Watcher::new(Duration::from_secs(100));
        watcher.granted(SILENCE_LIMIT / 2);
        watcher.line("lab: beat 0", NOW);
        watcher.granted(SILENCE_LIMIT / 2);
        assert!(!watcher.hung());
        watcher.line("watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", NOW);
        watcher.granted(SILENCE_LIMIT / 2);
        assert!(watcher.hung() && watcher.reason().contains("before the first step"));
    }

    #[test]
    fn a_guest_came_up_when_its_runner_has_said_something() {
        let mut watcher = Watcher::new(Duration::from_secs(100));
        watcher.line("[    4.1] igb 0000:01:00.0: 7 VFs allocated", NOW);
        assert!(!watcher.came_up());
        watcher.line("lab: beat 0", NOW);
        assert!(watcher.came_up());
    }

    #[test]
    fn a_stall_alone_does_not_end_the_run_but_is_told() {
        let mut watcher = Watcher::new(Duration::from_secs(100));
        watcher.line("rcu: INFO: rcu_preempt self-detected stall on CPU", NOW);
        assert!(!watcher.panicked() && !watcher.hung());
        assert!(watcher.reason().contains("self-detected stall"));
    }

    #[test]
    fn a_guest_that_beats_for_ever_is_ended_by_its_own_clock_not_by_the_hosts() {
        let mut watcher = Watcher::new(Duration::from_secs(100));
        watcher.line("lab: beat 0", NOW);
        watcher.line("lab: beat 99000", Duration::from_secs(4000));
        assert!(!watcher.must_end());
        watcher.line("lab: beat 100001", Duration::from_secs(4010));
        assert!(watcher.must_end() && watcher.reason().contains("100 s by its own clock"));
    }
}
