//! Runs one scenario, in a guest that is booted again when a boot was no good, and judges it. It must not print, and must not look inside a
//! scenario.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::boot::{self, BadBoot, Ended};
use super::cache::Cache;
use super::console::Watcher;
use super::error::LabError;
use super::lab::Lab;
use super::share::RunDir;
use crate::scenarios::{Brings, Scenario};
use crate::verdict::{EXIT_FAILED, EXIT_PASSED, FIGURES_FILE, Job, NEWEST, OUT_DIR, Outcome};

/// How often a guest is booted for one scenario at most. That as many boots in a row are bad by chance does not happen.
const BOOTS: usize = 3;

/// How a scenario ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its name.
    pub(crate) name: &'static str,
    /// Why it failed; nothing when it passed.
    pub(crate) failure: Option<String>,
    /// From the guest's first step to its verdict by the guest's clock, when there was one.
    pub(crate) scenario_time: Option<Duration>,
    /// Things checked.
    pub(crate) checks: u32,
    /// From the first boot to the last power off.
    pub(crate) whole_time: Duration,
    /// Boots that said nothing about the scenario.
    pub(crate) bad_boots: Vec<BadBoot>,
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
    let mut bad_boots = Vec::new();
    let (outcome, failure) = match boot_until_good(lab, cache, scenario, &mut bad_boots) {
        Ok(ended) => {
            let failure = judge(&ended);
            (ended.outcome, failure)
        }
        Err(error) => (None, Some(format!("the scenario did not run: {error}"))),
    };
    Finished {
        name: scenario.name,
        failure,
        scenario_time: outcome.as_ref().map(|o| Duration::from_millis(o.milliseconds)),
        checks: outcome.as_ref().map_or(0, |o| o.checks),
        whole_time: begun.elapsed(),
        bad_boots,
        kept: cache.run_dir(scenario.name),
    }
}

/// The first boot that was good, or the last.
fn boot_until_good(
    lab: &Lab,
    cache: &Cache,
    scenario: &Scenario,
    bad_boots: &mut Vec<BadBoot>,
) -> Result<Ended, LabError> {
    let mut consoles = Vec::new();
    loop {
        let dir = RunDir::create(cache.run_dir(scenario.name), &lab.image, &lab.binaries)?;
        let plane = match lab.cluster.as_ref().filter(|_| scenario.brings == Brings::Cluster) {
            Some(cluster) => Some(dir.bring_cluster(cluster)?),
            None => None,
        };
        dir.keep_bad_boots(&consoles)?;
        dir.write_job(&Job {
            scenario: scenario.name.into(),
            limit_seconds: scenario.limit().as_secs(),
            seed: seed(),
        })?;
        if scenario.systemd {
            dir.write_systemd()?;
        }
        if scenario.brings == Brings::Package {
            dir.bring_package(&lab.binaries)?;
        }
        if let Some(newest) =
            lab.newest.as_ref().filter(|_| scenario.brings == Brings::NewestRuntimes)
        {
            newest.lay_out(&dir.share().join(NEWEST))?;
        }
        let ended = boot::run(lab, &dir, scenario, plane.as_ref())?;
        let Some(bad) = ended.bad.clone() else { return Ok(ended) };
        bad_boots.push(bad);
        if bad_boots.len() == BOOTS {
            return Ok(ended);
        }
        consoles.push(fs::read(dir.console()).unwrap_or_default());
    }
}

/// Another one each time, so that many runs draw much; `VFHOOK_LAB_SEED` draws the same again.
fn seed() -> u64 {
    let given = std::env::var("VFHOOK_LAB_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        now.as_secs()
    })
}

/// Passed only when the result file, QEMU's exit code and the console agree; otherwise why not.
fn judge(ended: &Ended) -> Option<String> {
    match &ended.bad {
        Some(bad) => Some(format!(
            "no boot of {BOOTS} was any good; the last {}: {}",
            bad.kind(),
            bad.seen()
        )),
        None => verdict(ended.outcome.as_ref(), ended.code, &ended.watcher),
    }
}

fn verdict(outcome: Option<&Outcome>, code: Option<i32>, watcher: &Watcher) -> Option<String> {
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
        let quiet = Watcher::new(Duration::from_secs(100));
        assert_eq!(verdict(Some(&outcome(true)), Some(3), &quiet), None);
        assert!(verdict(Some(&outcome(true)), Some(0), &quiet).is_some());
        assert!(verdict(Some(&outcome(true)), None, &quiet).is_some());
        assert!(verdict(None, Some(3), &quiet).is_some());
        assert_eq!(verdict(Some(&outcome(false)), Some(5), &quiet).as_deref(), Some("no ping"));
    }

    #[test]
    fn a_panic_after_the_verdict_is_still_a_failure() {
        let mut watcher = Watcher::new(Duration::from_secs(100));
        watcher.line("Kernel panic - not syncing: on the way out", Duration::from_secs(9));
        assert!(verdict(Some(&outcome(true)), Some(3), &watcher).is_some());
    }

    #[test]
    fn no_verdict_counts_when_the_last_boot_was_bad_too() {
        let ended = Ended {
            watcher: Watcher::new(Duration::from_secs(100)),
            outcome: Some(outcome(true)),
            code: Some(3),
            bad: Some(BadBoot::WrongClock("23 s".into())),
        };
        assert!(judge(&ended).is_some_and(|failure| failure.contains("23 s")));
    }
}
