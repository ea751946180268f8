//! Boots one guest for one scenario, watches it to its end and judges it. It must not print, and must not look inside a scenario.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::cache::Cache;
use super::console::Watcher;
use super::error::LabError;
use super::lab::Lab;
use super::qemu::{self, Topology};
use super::share::RunDir;
use crate::scenarios::Scenario;
use crate::verdict::{EXIT_FAILED, EXIT_PASSED, FIGURES_FILE, Job, OUT_DIR, Outcome};

/// What a guest may take beside its scenario: to boot, to make VFs, to keep its evidence.
const ALLOWANCE: Duration = Duration::from_secs(150);
/// How long a panicking kernel may go on writing its trace.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How often a guest is booted again because QEMU itself has died of a signal before there was a verdict. QEMU 10.0 does so now and then:
/// with a thread per CPU, one that reads a device's registers while another maps a card's memory fails an assertion (`iotlb_to_section`).
/// That says nothing about the scenario; a guest that panics, hangs or ends is never booted again.
const EMULATOR_DEATHS: u32 = 2;
/// How often silence is counted.
const GLANCE: Duration = Duration::from_secs(1);

/// How a scenario ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its name.
    pub(crate) name: &'static str,
    /// Why it failed; nothing when it passed.
    pub(crate) failure: Option<String>,
    /// From the guest's first step to its verdict, when there was one.
    pub(crate) scenario_time: Option<Duration>,
    /// Things checked.
    pub(crate) checks: u32,
    /// From boot to power off.
    pub(crate) whole_time: Duration,
    /// How often QEMU itself died and the guest was booted again.
    pub(crate) emulator_deaths: u32,
    /// Where everything is kept.
    pub(crate) kept: PathBuf,
}

impl Finished {
    /// What it came to beyond its verdict, where it left that.
    pub(crate) fn figures(&self) -> Option<String> {
        fs::read_to_string(self.kept.join(OUT_DIR).join(FIGURES_FILE)).ok()
    }
}

/// Runs one scenario. An error of the lab itself is a failure of the scenario: it did not run.
pub(crate) fn scenario(lab: &Lab, cache: &Cache, scenario: &Scenario) -> Finished {
    let begun = Instant::now();
    let mut emulator_deaths = 0;
    let end = loop {
        let end = boot(lab, cache, scenario).unwrap_or_else(|error| End::not_run(&error));
        if !end.emulator_died || emulator_deaths == EMULATOR_DEATHS {
            break end;
        }
        emulator_deaths += 1;
    };
    Finished {
        name: scenario.name,
        failure: end.failure,
        scenario_time: end.outcome.as_ref().map(|o| Duration::from_millis(o.milliseconds)),
        checks: end.outcome.as_ref().map_or(0, |o| o.checks),
        whole_time: begun.elapsed(),
        emulator_deaths,
        kept: cache.run_dir(scenario.name),
    }
}

/// What came of one boot.
struct End {
    failure: Option<String>,
    outcome: Option<Outcome>,
    emulator_died: bool,
}

impl End {
    fn not_run(error: &LabError) -> Self {
        let failure = Some(format!("the scenario did not run: {error}"));
        Self { failure, outcome: None, emulator_died: false }
    }
}

fn boot(lab: &Lab, cache: &Cache, scenario: &Scenario) -> Result<End, LabError> {
    let dir = RunDir::create(cache.run_dir(scenario.name), &lab.image, &lab.binaries)?;
    let limit = scenario.limit();
    dir.write_job(&Job {
        scenario: scenario.name.into(),
        limit_seconds: limit.as_secs(),
        seed: seed(),
    })?;
    let mut command = lab.emulator.command();
    command
        .args(qemu::arguments(
            &Topology::two_cards(),
            &lab.image,
            &dir.share(),
            &qemu::accelerator(),
            "stdio",
        ))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child =
        command.spawn().map_err(|source| LabError::Start { program: "QEMU".into(), source })?;
    let (watcher, status) = watch(&mut child, &dir, limit + ALLOWANCE)?;
    let outcome = dir.close()?;
    let failure = judge(outcome.as_ref(), status.and_then(|s| s.code()), &watcher);
    let emulator_died = outcome.is_none() && status.is_some_and(|s| s.signal().is_some());
    Ok(End { failure, outcome, emulator_died })
}

/// Another one each time, so that many runs draw much; `VFHOOK_LAB_SEED` draws the same again.
fn seed() -> u64 {
    let given = std::env::var("VFHOOK_LAB_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        now.as_secs()
    })
}

/// Follows the console until QEMU ends, or ends it.
fn watch(
    child: &mut Child,
    dir: &RunDir,
    limit: Duration,
) -> Result<(Watcher, Option<ExitStatus>), LabError> {
    let path = dir.console();
    let mut log = File::create(&path).map_err(LabError::file("create", &path))?;
    let (sender, lines) = channel();
    if let Some(stderr) = child.stderr.take() {
        let sender = sender.clone();
        std::thread::spawn(move || pump(stderr, &sender));
    }
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || pump(stdout, &sender));
    }
    let mut watcher = Watcher::default();
    let in_time =
        follow(&lines, &mut watcher, &mut log, limit).map_err(LabError::file("write", &path))?;
    // Nothing but the child that this function was given is killed.
    let status = if in_time { child.wait().ok() } else { None };
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok((watcher, status))
}

/// Takes lines in until there are no more; false when the guest must be ended by force.
fn follow(
    lines: &Receiver<String>,
    watcher: &mut Watcher,
    log: &mut File,
    limit: Duration,
) -> std::io::Result<bool> {
    let begun = Instant::now();
    let mut deadline = begun + limit;
    let mut panicked = false;
    loop {
        match lines.recv_timeout(GLANCE) {
            Ok(line) => {
                watcher.line(&line);
                writeln!(log, "{:8.3} {}", begun.elapsed().as_secs_f64(), line.trim_end())?;
            }
            Err(RecvTimeoutError::Timeout) => watcher.silence(GLANCE),
            Err(RecvTimeoutError::Disconnected) => return Ok(true),
        }
        if watcher.panicked() && !panicked {
            panicked = true;
            deadline = deadline.min(Instant::now() + LAST_WORDS);
        }
        if watcher.hung() || Instant::now() >= deadline {
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

/// Passed only when the result file, QEMU's exit code and the console agree; otherwise why not.
fn judge(outcome: Option<&Outcome>, code: Option<i32>, watcher: &Watcher) -> Option<String> {
    let said = |value: u8| code == Some(i32::from(value) * 2 + 1);
    if watcher.panicked() {
        return Some(watcher.reason());
    }
    match outcome {
        Some(outcome) if outcome.passed && said(EXIT_PASSED) => None,
        Some(outcome) if !outcome.passed && said(EXIT_FAILED) => Some(outcome.message.clone()),
        Some(outcome) => Some(format!(
            "the result file says {} but QEMU ended with {code:?}: {}",
            if outcome.passed { "passed" } else { "failed" },
            outcome.message
        )),
        None => Some(watcher.reason()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(passed: bool) -> Outcome {
        Outcome {
            scenario: "x".into(),
            passed,
            milliseconds: 1,
            steps: 1,
            checks: 1,
            message: if passed { String::new() } else { "no ping".into() },
        }
    }

    #[test]
    fn passed_needs_the_file_and_the_exit_code() {
        let quiet = Watcher::default();
        assert_eq!(judge(Some(&outcome(true)), Some(3), &quiet), None);
        assert!(judge(Some(&outcome(true)), Some(0), &quiet).is_some());
        assert!(judge(Some(&outcome(true)), None, &quiet).is_some());
        assert!(judge(None, Some(3), &quiet).is_some());
        assert_eq!(judge(Some(&outcome(false)), Some(5), &quiet).as_deref(), Some("no ping"));
    }

    #[test]
    fn a_panic_after_the_verdict_is_still_a_failure() {
        let mut watcher = Watcher::default();
        watcher.line("Kernel panic - not syncing: on the way out");
        assert!(judge(Some(&outcome(true)), Some(3), &watcher).is_some());
    }
}
