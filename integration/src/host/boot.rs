//! Boots one guest, follows it to its end, and says whether that boot was any good. It must not print, and must not judge a scenario.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::console::Watcher;
use super::control_plane::ControlPlane;
use super::engine::{Engine, Timebase};
use super::error::LabError;
use super::granted::Granted;
use super::lab::Lab;
use super::qemu::{self, Topology};
use super::share::RunDir;
use crate::scenarios::{Brings, Scenario};
use crate::verdict::Outcome;

/// What a guest may take beside its scenario, by its own clock: to keep its evidence.
const ALLOWANCE: Duration = Duration::from_secs(150);
/// How long a panicking kernel may go on writing its trace.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How often it is looked how much the host lets the guest have.
const GLANCE: Duration = Duration::from_secs(1);

/// How a guest ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What its console told.
    pub(crate) watcher: Watcher,
    /// What it left, if it came to that.
    pub(crate) outcome: Option<Outcome>,
    /// QEMU's exit code; none when a signal ended it, or the lab did.
    pub(crate) code: Option<i32>,
    /// Why this boot says nothing about the scenario.
    pub(crate) bad: Option<BadBoot>,
}

/// What makes a boot say nothing about the scenario. A guest that panics, hangs or ends once its runner has begun is none of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadBoot {
    /// The runner never began.
    NeverUp(String),
    /// No time limit in the guest meant what it says.
    WrongClock(String),
    /// QEMU died of a signal that the lab did not send. With a thread for each processor QEMU 10.0 does so now and then: one that reads a
    /// device's registers while another maps a card's memory fails an assertion (`iotlb_to_section`).
    EmulatorDied(String),
}

impl BadBoot {
    /// The case, for counting.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::NeverUp(_) => "never came up",
            Self::WrongClock(_) => "had a wrong clock",
            Self::EmulatorDied(_) => "ended with QEMU's death",
        }
    }

    /// What was seen.
    pub(crate) fn seen(&self) -> &str {
        match self {
            Self::NeverUp(seen) | Self::WrongClock(seen) | Self::EmulatorDied(seen) => seen,
        }
    }
}

/// Boots a guest that has its job in `dir`, as the node of a cluster where there is a control plane.
pub(crate) fn run(
    lab: &Lab,
    dir: &RunDir,
    scenario: &Scenario,
    plane: Option<&ControlPlane>,
) -> Result<Ended, LabError> {
    let engine = Engine::chosen();
    let topology = match scenario.brings {
        _ if plane.is_some() => Topology::node(),
        Brings::CloudCard => Topology::in_cloud(),
        _ => Topology::two_cards(),
    };
    let topology = Topology { iommu: scenario.iommu, cpus: scenario.cpus, ..topology };
    let mut command = lab.emulator.command(plane.map(ControlPlane::namespace));
    command.args(qemu::arguments(&topology, &lab.image, &dir.share(), &engine, "stdio"));
    let mut watcher = Watcher::new(scenario.limit() + ALLOWANCE);
    let status = watch(&mut command, dir, &mut watcher, engine.timebase)?;
    let outcome = dir.close()?;
    let signal = status.and_then(|status| status.signal());
    let bad = bad(&watcher, engine.timebase, outcome.is_some(), signal);
    Ok(Ended { watcher, outcome, code: status.and_then(|status| status.code()), bad })
}

/// Whether the boot says nothing about the scenario.
fn bad(
    watcher: &Watcher,
    timebase: Timebase,
    has_outcome: bool,
    signal: Option<i32>,
) -> Option<BadBoot> {
    // Whatever the verdict is: a deadline that came too soon may be the reason for it.
    if let Some(wrong) = watcher.clock.wrong(timebase) {
        return Some(BadBoot::WrongClock(wrong));
    }
    if has_outcome {
        return None;
    }
    if let Some(signal) = signal {
        let seen = format!("signal {signal}: {}", watcher.reason());
        return Some(BadBoot::EmulatorDied(seen));
    }
    (!watcher.came_up()).then(|| BadBoot::NeverUp(watcher.reason()))
}

/// Follows the console until QEMU ends, or ends it; the status is that of a QEMU that ended by itself.
fn watch(
    command: &mut Command,
    dir: &RunDir,
    watcher: &mut Watcher,
    timebase: Timebase,
) -> Result<Option<ExitStatus>, LabError> {
    let path = dir.console();
    let mut log = File::create(&path).map_err(LabError::file("create", &path))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| LabError::Start { program: "QEMU".into(), source })?;
    let lines = lines_of(&mut child);
    let mut granted = Granted::of(child.id());
    let in_time = follow(&lines, watcher, &mut granted, &mut log, timebase)
        .map_err(LabError::file("write", &path));
    // Nothing but the child that this function has started is killed.
    if !matches!(in_time, Ok(true)) {
        let _ = child.kill();
    }
    let status = child.wait().ok();
    Ok(status.filter(|_| matches!(in_time, Ok(true)))).and_then(|status| in_time.map(|_| status))
}

/// What QEMU and the guest say from here on.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    if let Some(stderr) = child.stderr.take() {
        let sender = sender.clone();
        std::thread::spawn(move || pump(stderr, &sender));
    }
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || pump(stdout, &sender));
    }
    lines
}

/// Takes lines in until there are no more; false when the guest must be ended by force.
fn follow(
    lines: &Receiver<String>,
    watcher: &mut Watcher,
    granted: &mut Granted,
    log: &mut File,
    timebase: Timebase,
) -> std::io::Result<bool> {
    let begun = Instant::now();
    let mut glanced = begun;
    let mut last_words = LAST_WORDS;
    loop {
        match lines.recv_timeout(GLANCE) {
            Ok(line) => {
                let after = begun.elapsed();
                watcher.line(&line, after);
                writeln!(log, "{:8.3} {}", after.as_secs_f64(), line.trim_end())?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(true),
        }
        if glanced.elapsed() >= GLANCE {
            glanced = Instant::now();
            let time = granted.since_last_look();
            watcher.granted(time);
            if watcher.panicked() {
                last_words = last_words.saturating_sub(time);
            }
        }
        if last_words.is_zero() || watcher.must_end() || watcher.clock.wrong(timebase).is_some() {
            writeln!(log, "lab: ended by force")?;
            return Ok(false);
        }
    }
}

fn pump(stream: impl std::io::Read, lines: &Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // By bytes, not by `lines()`: a console may say things that are not UTF-8.
    while matches!(reader.read_until(b'\n', &mut line), Ok(count) if count > 0) {
        if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watcher(lines: &[(&str, u64)]) -> Watcher {
        let mut watcher = Watcher::new(Duration::from_secs(100));
        for (line, after) in lines {
            watcher.line(line, Duration::from_millis(*after));
        }
        watcher
    }

    fn judged(watcher: &Watcher, has_outcome: bool, signal: Option<i32>) -> Option<BadBoot> {
        bad(watcher, Timebase::Instructions, has_outcome, signal)
    }

    #[test]
    fn a_guest_whose_runner_never_began_is_a_bad_boot_even_when_its_kernel_panicked() {
        for line in ["Linux version 6.12", "Kernel panic - not syncing: IO-APIC + timer"] {
            let bad = judged(&watcher(&[(line, 900)]), false, None);
            assert!(matches!(bad, Some(BadBoot::NeverUp(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_guest_that_came_up_and_panics_or_hangs_is_the_scenarios_failure() {
        let mut seen = watcher(&[("lab: beat 0", 900), ("Kernel panic - not syncing: x", 950)]);
        assert_eq!(judged(&seen, false, None), None);
        seen = watcher(&[("lab: beat 0", 900)]);
        seen.granted(Duration::from_secs(1000));
        assert!(seen.must_end());
        assert_eq!(judged(&seen, false, None), None);
    }

    #[test]
    fn with_a_wrong_clock_no_verdict_counts() {
        let seen = watcher(&[("lab: beat 0", 900), ("lab: beat 5003", 1_100)]);
        let bad = judged(&seen, true, None);
        assert!(matches!(bad, Some(BadBoot::WrongClock(_))), "{bad:?}");
    }

    #[test]
    fn a_signal_ends_a_boot_that_had_no_verdict() {
        let seen = watcher(&[("lab: beat 0", 900), ("lab: step attach", 1_000)]);
        assert!(matches!(judged(&seen, false, Some(6)), Some(BadBoot::EmulatorDied(_))));
        assert_eq!(judged(&seen, true, Some(6)), None);
        assert_eq!(judged(&seen, false, None), None);
    }
}
