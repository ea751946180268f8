//! The host side: the command line, and what each verb does. It must not know what a scenario checks.

mod bench;
mod binaries;
mod boot;
mod cache;
mod cluster;
mod console;
mod control_plane;
mod demo;
mod diagnostics;
mod emulator;
mod engine;
mod error;
mod faults;
mod go_program;
mod granted;
mod guest_clock;
mod image;
mod initrd;
mod install;
mod lab;
mod matrix;
mod newest;
mod oci_image;
mod qemu;
mod recipe;
mod report;
mod run;
mod share;
mod shell;
mod tool;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::{Parser, Subcommand};

use self::cache::Cache;
use self::error::LabError;
use self::lab::Lab;
use self::run::Finished;
use crate::say;
use crate::scenarios::{self, Brings, Scenario};

/// Boots a VM with emulated SR-IOV and runs vfhook's scenarios in it
#[derive(Debug, Parser)]
#[command(name = "cargo lab", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print every scenario: its name, its time limit, what it proves
    List,
    /// Run scenarios, each in a guest of its own
    Run {
        /// Names, as `list` prints them; what stands before a `_` means all that begin so
        #[arg(required_unless_present = "all")]
        names: Vec<String>,
        /// Run every scenario but those that `list` shows as run by name only
        #[arg(long, conflicts_with = "names")]
        all: bool,
        /// Run the long form of those that have one: `faults` at every moment, not at some
        #[arg(long, conflicts_with = "all")]
        full: bool,
        /// How many guests run at once: each is the work of one processor
        #[arg(long, default_value_t = usual_jobs(), value_parser = clap::value_parser!(u16).range(1..))]
        jobs: u16,
    },
    /// Boot a guest with VFs and vfhook and give a root shell in it
    Shell {
        /// With a Kubernetes cluster of this one node, whose kubelet counts VFs
        #[arg(long)]
        cluster: bool,
    },
    /// Run what takes long: a hundred random events in a Kubernetes cluster
    Soak,
    /// Print everything that is kept of a scenario's last run
    Logs {
        /// Name of the scenario
        name: String,
    },
    /// Show the main job: a podman container with a VF and a path to services
    Demo,
    /// Measure what an attachment costs on an emulated VF, beside the kernel's floor, ip and CNI plugins
    Bench {
        /// Print one JSON document in place of tables
        #[arg(long)]
        json: bool,
        /// Write the document and the pictures to this folder
        #[arg(long, value_name = "FOLDER")]
        write: Option<PathBuf>,
    },
    /// Write what the last run of `faults --full` came to in Markdown
    Faults,
    /// Write what the last `run service_matrix` saw as one table in Markdown
    Matrix,
}

/// One guest for each processor; a guest has 2 GiB of memory, so not without end.
fn usual_jobs() -> u16 {
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    u16::try_from(processors.clamp(2, 4)).unwrap_or(2)
}

/// Parses the command line, does what it says, and tells how it went by the exit code.
pub fn lab_main() -> ExitCode {
    match dispatch(Arguments::parse().verb) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say::note(&format!("lab: error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Where the programs of a cluster are, found in the cache or built; an error says why there are none.
pub fn cluster_programs() -> Result<PathBuf, String> {
    let obtained = Cache::open().and_then(|cache| cluster::Cluster::obtain(&cache));
    obtained.map(|cluster| cluster.folder().to_owned()).map_err(|error| error.to_string())
}

fn dispatch(verb: Verb) -> Result<bool, LabError> {
    let cache = Cache::open()?;
    match verb {
        Verb::List => list(),
        Verb::Run { names, all, full, jobs } => {
            let chosen = if all {
                scenarios::ALL.iter().filter(|scenario| !scenario.by_name).collect()
            } else {
                choose(&names, full)?
            };
            return run_all(&cache, chosen, usize::from(jobs));
        }
        Verb::Soak => return run_all(&cache, choose(&["cluster_random".to_owned()], true)?, 1),
        Verb::Shell { cluster } => shell::run(&cache, cluster)?,
        Verb::Logs { name } => diagnostics::print(&cache, &name)?,
        Verb::Demo => return demo::run(&cache),
        Verb::Bench { json, write } => return bench::run(&cache, json, write.as_deref()),
        Verb::Faults => faults::print(&cache)?,
        Verb::Matrix => matrix::print(&cache)?,
    }
    Ok(true)
}

fn list() {
    for scenario in scenarios::ALL {
        let limit = scenario.limit().as_secs();
        let by_name = if scenario.by_name { " (run by name only)" } else { "" };
        say::line(&format!("{:<24} {limit:>4} s  {}{by_name}", scenario.name, scenario.summary));
    }
}

fn choose(names: &[String], full: bool) -> Result<Vec<&'static Scenario>, LabError> {
    let mut chosen: Vec<&'static Scenario> = Vec::new();
    for name in names {
        let long = if full { scenarios::find(&format!("{name}_full")) } else { None };
        let meant = match long.or_else(|| scenarios::find(name)) {
            Some(scenario) => vec![scenario],
            None => family(name),
        };
        if meant.is_empty() {
            return Err(unknown(name));
        }
        for scenario in meant {
            // Two guests must not share a run's folder.
            if !chosen.iter().any(|other| other.name == scenario.name) {
                chosen.push(scenario);
            }
        }
    }
    Ok(chosen)
}

/// The scenarios that are one in several modes: their names begin with this one.
fn family(name: &str) -> Vec<&'static Scenario> {
    let of_it = |scenario: &&Scenario| {
        scenario.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'))
    };
    scenarios::ALL.iter().filter(of_it).collect()
}

fn unknown(name: &str) -> LabError {
    let near = scenarios::ALL.iter().find(|s| s.name.contains(name) || name.contains(s.name));
    LabError::UnknownScenario {
        name: name.to_owned(),
        near: near.map_or_else(String::new, |s| format!("; did you mean {}?", s.name)),
    }
}

fn run_all(
    cache: &Cache,
    mut chosen: Vec<&'static Scenario>,
    jobs: usize,
) -> Result<bool, LabError> {
    let mut lab = Lab::prepare(cache)?;
    if chosen.iter().any(|scenario| scenario.brings == Brings::Cluster) {
        lab = lab.with_cluster(cache)?;
    }
    if chosen.iter().any(|scenario| scenario.brings == Brings::NewestRuntimes) {
        lab = lab.with_newest(cache)?;
    }
    say::note(&format!("lab: {} scenarios, {jobs} guests at once", chosen.len()));
    let order: Vec<&str> = chosen.iter().map(|scenario| scenario.name).collect();
    // The longest first: at the end no guest is left to run alone for minutes.
    chosen.sort_by_key(|scenario| std::cmp::Reverse(scenario.limit()));
    let waiting = Mutex::new(chosen.into_iter().collect::<VecDeque<_>>());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| work(&lab, cache, &waiting, &results));
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|done: &Finished| order.iter().position(|name| *name == done.name));
    say::line(&report::summary(&results));
    Ok(results.len() == order.len() && results.iter().all(|done| done.failure.is_none()))
}

/// Takes scenarios until none is left.
fn work(
    lab: &Lab,
    cache: &Cache,
    waiting: &Mutex<VecDeque<&'static Scenario>>,
    results: &Mutex<Vec<Finished>>,
) {
    loop {
        let next = waiting.lock().ok().and_then(|mut queue| queue.pop_front());
        let Some(scenario) = next else { return };
        let finished = run::scenario(lab, cache, scenario);
        say::line(&report::ended(&finished));
        if let Some(figures) = finished.figures() {
            say::line(&figures);
        }
        if let Ok(mut results) = results.lock() {
            results.push(finished);
        }
    }
}
