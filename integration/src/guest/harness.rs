//! Runs one scenario: makes the VFs, takes a dump before and after, keeps evidence, gives the verdict, powers off. What holds for every
//! scenario is checked here and not left to the scenario to remember.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::command::{cmd, eventually};
use super::dump::{self, Dump};
use super::evidence;
use super::failure::Failure;
use super::{Guest, card::Pf};
use crate::say;
use crate::scenarios::{self, Scenario};
use crate::verdict::{
    BEAT, EXIT_FAILED, EXIT_PASSED, EXIT_PORT, JOB_FILE, Job, MARK, OUT_DIR, Outcome, RESULT_FILE,
    SHARE,
};

/// The first two beats are no further apart than this: the host compares the clocks by them.
const CLOCK_CHECK: Duration = Duration::from_secs(2);
const BETWEEN_BEATS: Duration = Duration::from_secs(5);
/// How long the kernel may need to give back what a dying namespace held.
const SETTLE_SECONDS: u64 = 20;

/// Loaded before the first dump: a module that vfhook's or a runtime's first packet filter or link pulls in brings sysctls of its own,
/// which would be seen as something left behind.
const MODULES: &str = "igb igbvf veth macvlan 8021q dummy nf_conntrack nf_nat nf_tables nft_compat nft_chain_nat nft_nat nft_masq nft_ct \
                       xt_conntrack xt_mark xt_MASQUERADE xt_comment xt_statistic xt_nat overlay";

/// What has been reached, for whoever gives the verdict: the scenario or the clock.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Steps begun.
    pub(crate) steps: u32,
    /// Things checked.
    pub(crate) checks: u32,
    /// The step that runs.
    pub(crate) step: String,
}

/// Shared between the scenario and the clock.
pub(crate) type SharedProgress = Arc<Mutex<Progress>>;

/// Looks in, whatever happened to the thread that looked in before.
pub(crate) fn look(progress: &SharedProgress) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `guest job`: runs the scenario that the job names.
pub(crate) fn run_job() -> ExitCode {
    let path = Path::new(SHARE).join(JOB_FILE);
    let job: Option<Job> = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let Some(job) = job else {
        say::line(&format!("{MARK}there is no job in {}", path.display()));
        return ExitCode::FAILURE;
    };
    let begun = Instant::now();
    let progress = SharedProgress::default();
    keep_time(&job, &progress, begun);
    let result = scenarios::find(&job.scenario)
        .ok_or_else(|| Failure::unmet("the runner knows the scenario", &job.scenario))
        .and_then(|scenario| run(scenario, &progress, job.seed));
    if result.is_err() {
        evidence::keep(&out_dir());
    }
    let message = result.err().map(|failure| {
        let step = look(&progress).step.clone();
        format!("in the step \"{step}\": {failure}")
    });
    finish(&job.scenario, &progress, begun, message);
    ExitCode::FAILURE
}

/// Everything up to the scenario's own part, for `guest shell`.
pub(crate) fn prepare_machine(vfs: [u32; 2]) -> Result<Vec<Vec<super::card::Vf>>, Failure> {
    cmd("modprobe -a").arg_words(MODULES).ok()?;
    Pf::all()
        .into_iter()
        .zip(vfs)
        .map(|(pf, count)| {
            pf.bring_up()?;
            if count == 0 { Ok(Vec::new()) } else { pf.make_vfs(count) }
        })
        .collect()
}

/// `guest evidence`: for when the runner itself has died.
pub(crate) fn keep_evidence() -> ExitCode {
    evidence::keep(&out_dir());
    ExitCode::SUCCESS
}

fn run(scenario: &Scenario, progress: &SharedProgress, seed: u64) -> Result<(), Failure> {
    let mut guest = Guest::new(Arc::clone(progress), seed);
    guest.step("make the VFs");
    guest.vfs = prepare_machine(scenario.vfs)?;
    (scenario.prepare)(&mut guest)?;
    guest.step("take the dump before");
    guest.before = settled()?;
    save("dump-before.txt", &guest.before.text())?;
    (scenario.run)(&mut guest)?;
    guest.must_be_as_before("at the end")
}

/// A dump that two readings agree on: addresses and links that were just made may still be on their way.
pub(crate) fn settled() -> Result<Dump, Failure> {
    let mut last = dump::take()?;
    eventually("a state that does not change by itself", SETTLE_SECONDS, || {
        let next = dump::take()?;
        let mut differences = last.differences(&next);
        // Duplicate address detection begins after a random wait: two readings may agree before it.
        differences.extend(next.unsettled());
        last = next;
        if differences.is_empty() {
            return Ok(last.clone());
        }
        Err(Failure::unmet("two readings agree", differences.join("\n")))
    })
}

/// A dump with no address left that the kernel still looks for duplicates of: its outcome would be seen as a change.
pub(crate) fn decided() -> Result<Dump, Failure> {
    eventually("the end of duplicate address detection", SETTLE_SECONDS, || {
        let dump = dump::take()?;
        let waiting = dump.unsettled();
        if waiting.is_empty() { Ok(dump) } else { Err(Failure::unmet("none", waiting.join("\n"))) }
    })
}

/// What is there now against what was there before.
pub(crate) fn compare(before: &Dump) -> Result<(), Failure> {
    // The kernel takes apart a namespace after its last user has gone, in its own time: what is still there after that stays.
    let compared = eventually("the state of before", SETTLE_SECONDS, || {
        let after = dump::take()?;
        save("dump-after.txt", &after.text())?;
        let differences = before.differences(&after);
        if differences.is_empty() {
            return Ok(());
        }
        Err(Failure::unmet("the host is as it was before", format!("\n{}", differences.join("\n"))))
    });
    match compared {
        Err(Failure::Late { last, .. }) => {
            save("dump-differences.txt", &last)?;
            Err(Failure::Unmet { what: "a trace was left".into(), seen: last })
        }
        other => other,
    }
}

fn keep_time(job: &Job, progress: &SharedProgress, begun: Instant) {
    std::thread::spawn(move || {
        let pauses = std::iter::once(CLOCK_CHECK).chain(std::iter::repeat(BETWEEN_BEATS));
        for pause in pauses {
            say::line(&format!("{MARK}{BEAT} {}", begun.elapsed().as_millis()));
            std::thread::sleep(pause);
        }
    });
    let (scenario, limit) = (job.scenario.clone(), job.limit_seconds);
    let progress = Arc::clone(progress);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(limit));
        let step = look(&progress).step.clone();
        evidence::keep(&out_dir());
        let message = format!("the time limit of {limit} s was reached in the step \"{step}\"");
        finish(&scenario, &progress, begun, Some(message));
    });
}

/// Writes the result and ends the machine.
fn finish(scenario: &str, progress: &SharedProgress, begun: Instant, failure: Option<String>) {
    let passed = failure.is_none();
    let outcome = {
        let progress = look(progress);
        Outcome {
            scenario: scenario.to_owned(),
            passed,
            milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            steps: progress.steps,
            checks: progress.checks,
            message: failure.unwrap_or_default(),
        }
    };
    let path = out_dir().join(RESULT_FILE);
    let written = serde_json::to_vec_pretty(&outcome)
        .map_err(std::io::Error::other)
        .and_then(|text| write_through(&path, &text));
    if let Err(error) = written {
        say::line(&format!("{MARK}cannot write {}: {error}", path.display()));
    }
    let word = if passed { "passed" } else { "failed" };
    say::line(&format!("{MARK}verdict {word} {}", outcome.message.replace('\n', "\n    ")));
    end_machine(if passed { EXIT_PASSED } else { EXIT_FAILED });
}

fn write_through(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn end_machine(code: u8) {
    let port = || -> std::io::Result<()> {
        let mut port = OpenOptions::new().write(true).open("/dev/port")?;
        port.seek(SeekFrom::Start(u64::from(EXIT_PORT)))?;
        port.write_all(&[code])
    };
    if let Err(error) = port() {
        say::line(&format!("{MARK}cannot tell QEMU the verdict: {error}"));
    }
}

fn out_dir() -> PathBuf {
    Path::new(SHARE).join(OUT_DIR)
}

/// Keeps a text with the run.
pub(crate) fn save(name: &str, text: &str) -> Result<(), Failure> {
    let path = out_dir().join(name);
    fs::write(&path, text).map_err(Failure::file("write", path))
}
