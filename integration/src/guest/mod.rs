//! The guest side: what scenarios are written with, and the harness that runs them. It must not know what any one scenario proves.

pub(crate) mod agent;
pub(crate) mod card;
pub(crate) mod command;
pub(crate) mod containerd;
pub(crate) mod counters;
pub(crate) mod cri;
pub(crate) mod crio;
pub(crate) mod daemon;
pub(crate) mod dice;
pub(crate) mod docker;
pub(crate) mod dump;
mod errand;
pub(crate) mod evidence;
pub(crate) mod failure;
mod harness;
mod inspect;
pub(crate) mod interface;
pub(crate) mod kill_point;
pub(crate) mod kube_proxy;
pub(crate) mod kubernetes;
pub(crate) mod node;
pub(crate) mod notice;
pub(crate) mod oci_runtime;
pub(crate) mod output;
pub(crate) mod peer;
pub(crate) mod place;
pub(crate) mod podman;
pub(crate) mod probe;
pub(crate) mod ptp;
pub(crate) mod refusal;
pub(crate) mod serve;
mod shell;
pub(crate) mod strace;
pub(crate) mod systemd;
pub(crate) mod talk;
pub(crate) mod vfio;

use std::process::ExitCode;

use self::card::Vf;
use self::command::{Invocation, cmd};
use self::dump::Dump;
use self::failure::Failure;
use self::harness::{SharedProgress, look};
use crate::say;
use crate::verdict::MARK;

pub(crate) use self::harness::save;

/// Root with the capabilities of the service unit alone: the network and its raw sockets, namespaces, and other processes' namespaces below
/// /proc. Nothing may be added here to make a scenario pass.
const CONFINED: &str =
    "setpriv --bounding-set=-all,+net_admin,+net_raw,+sys_admin,+sys_ptrace --inh-caps=-all";
/// The program under test.
pub(crate) const VFHOOK: &str = "/usr/bin/vfhook";
/// Where vfhook reads its configuration.
const CONFIG: &str = "/etc/vfhook/config.toml";

/// The machine as a scenario sees it.
#[derive(Debug)]
pub(crate) struct Guest {
    progress: SharedProgress,
    /// The VFs that the harness made, by card.
    pub(crate) vfs: Vec<Vec<Vf>>,
    /// What lots are drawn from.
    pub(crate) seed: u64,
    /// The dump that the harness took before the scenario began.
    before: Dump,
}

impl Guest {
    fn new(progress: SharedProgress, seed: u64) -> Self {
        Self { progress, vfs: Vec::new(), seed, before: Dump::default() }
    }

    /// Says what comes next.
    pub(crate) fn step(&mut self, what: &str) {
        let mut progress = look(&self.progress);
        progress.steps += 1;
        what.clone_into(&mut progress.step);
        say::line(&format!("{MARK}step {what}"));
    }

    /// Counts one thing checked.
    pub(crate) fn count(&mut self) {
        look(&self.progress).checks += 1;
    }

    /// Something that must hold, and what is there instead when it does not.
    pub(crate) fn check(
        &mut self,
        what: &str,
        holds: bool,
        seen: impl std::fmt::Display,
    ) -> Result<(), Failure> {
        self.count();
        if holds { Ok(()) } else { Err(Failure::unmet(what, seen)) }
    }

    /// Something that must succeed, counted as a check.
    pub(crate) fn expect<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        self.count();
        result
    }

    /// How many facts the dump before has.
    pub(crate) fn facts(&self) -> usize {
        self.before.len()
    }

    /// The host must be as it was when the scenario began; what the kernel still takes apart is waited for.
    pub(crate) fn must_be_as_before(&mut self, when: &str) -> Result<(), Failure> {
        self.step(&format!("compare with the dump before: {when}"));
        self.count();
        harness::compare(&self.before)
    }

    /// The same without saying so, for what is done hundreds of times.
    pub(crate) fn is_as_before(&mut self) -> Result<(), Failure> {
        self.count();
        harness::compare(&self.before)
    }

    /// The host is as it was but for what is about these, which are others from now on.
    pub(crate) fn is_as_before_but_for(&mut self, subjects: &[&str]) -> Result<(), Failure> {
        let now = harness::settled()?;
        let mut differences = self.before.differences(&now);
        differences.retain(|line| !subjects.iter().any(|subject| line.contains(subject)));
        let same = differences.is_empty();
        self.check("the rest is as before", same, format!("\n{}", differences.join("\n")))?;
        self.before = now;
        Ok(())
    }

    /// Waits until the machine no longer changes by itself.
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        self.step("wait until nothing changes by itself");
        harness::settled().map(drop)
    }

    /// What the work does must change nothing, not even for a moment that is over now.
    pub(crate) fn changes_nothing<T>(
        &mut self,
        what: &str,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let before = harness::decided()?;
        let result = work()?;
        let differences = before.differences(&dump::take()?);
        self.check(
            &format!("{what} changes nothing"),
            differences.is_empty(),
            format!("\n{}", differences.join("\n")),
        )?;
        Ok(result)
    }

    /// A VF by its card and its number.
    pub(crate) fn vf(&self, card: usize, number: usize) -> Result<&Vf, Failure> {
        self.vfs.get(card).and_then(|vfs| vfs.get(number)).ok_or_else(|| {
            Failure::unmet(
                format!("card {card} has VF {number}"),
                "the scenario did not ask for it",
            )
        })
    }
}

/// Gives vfhook its configuration.
pub(crate) fn configure(text: &str) -> Result<(), Failure> {
    std::fs::create_dir_all("/etc/vfhook").map_err(Failure::file("create", "/etc/vfhook"))?;
    std::fs::write(CONFIG, text).map_err(Failure::file("write", CONFIG))
}

/// vfhook with these arguments, confined.
pub(crate) fn vfhook(line: &str) -> Invocation {
    cmd(&format!("{} {line}", confined(VFHOOK)))
}

/// The words that run this program as its service unit would do.
pub(crate) fn confined(program: &str) -> String {
    format!("{CONFINED} {program}")
}

/// Does what its arguments say: `job` and `shell` are for PID 1, the rest for the harness itself.
pub fn guest_main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["job"] => harness::run_job(),
        ["shell"] => shell::prepare(),
        ["evidence"] => harness::keep_evidence(),
        ["sysctls"] => dump::print_sysctls(),
        ["udp-echo", address] => probe::udp_echo(address),
        ["udp-ask", target, bytes] => probe::udp_ask(target, bytes),
        ["udp-chosen", target, times] => probe::udp_chosen(target, times),
        ["ask-many"] => talk::ask_many(),
        ["kubectl", arguments @ ..] => errand::kubectl(arguments),
        ["restart-api-server"] => errand::restart_api_server(),
        ["hold", target, seconds] => talk::hold_on(target, seconds),
        ["measure", target, milliseconds] => talk::measure(target, milliseconds),
        ["relay", at, target] => talk::relay(at, target),
        ["serve", name, addresses @ ..] => talk::serve(name, addresses),
        other => {
            say::note(&format!("lab: the runner does not know {other:?}"));
            ExitCode::FAILURE
        }
    }
}
