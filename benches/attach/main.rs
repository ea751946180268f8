//! What an attachment and its end cost, beside the fewest netlink messages that lead to the same end state (the floor), beside `ip`
//! and beside the distribution's CNI plugins. All contenders take turns in one run, in namespaces of their own; nothing of the
//! machine's own network is touched. `cargo bench --bench attach -- 100` makes 100 rounds of it, `--json` prints one document in
//! place of the tables, `--write docs/bench` also writes it and the pictures there. `--vf PF` gives VFs of that card in place of
//! macvlans, on the machine's own network: for the lab.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot set its scene has nothing to say"
)]

mod batch;
mod cni;
mod command;
mod contender;
mod counted;
mod device;
mod document;
mod end_state;
mod floor;
mod hook;
mod in_process;
mod line;
mod messages;
#[path = "../../tests/netns_support/mod.rs"]
mod netns_support;
mod nri;
mod perf;
mod process;
mod promises;
mod recipe;
#[path = "../report/mod.rs"]
mod report;
mod rounds;
mod scene;
mod shown;
mod steps;
mod traced;

use contender::Contender;
use messages::Which;
use netns_support::host::on_a_host;
use report::{asked::Asked, machine::Machine};
use scene::{Scene, the_host};

/// Rounds when the command line gives no number.
const ROUNDS: usize = 60;

/// Rounds that tell of each step: the daemon has its time to end each, and more tell no more.
const MOST_TRACED: usize = 60;

type Contenders<'a> = Vec<Box<dyn Contender + 'a>>;

/// Contenders that did not run, and why.
type Absent = Vec<(&'static str, String)>;

/// What one run found.
struct Found {
    machine: Machine,
    rounds: usize,
    /// What each sandbox was given.
    given: &'static str,
    contenders: Vec<rounds::Times>,
    /// In the same order.
    counts: Vec<[counted::Counts; 2]>,
    absent: Absent,
    /// Of each that is vfhook, the one in process first.
    steps: Vec<steps::Told>,
    process: process::Process,
}

fn main() {
    let asked = Asked::of_command_line();
    let rounds = asked.rounds.unwrap_or(ROUNDS);
    let (found, suffix) = match &asked.vf {
        None => on_a_host(|host| measure(&Scene::of_macvlans(host), rounds)),
        Some(function) => measure(&Scene::of_vfs(&the_host(), function), rounds),
    };
    asked.tell(&format!("attach{suffix}"), &document::of(&found));
    if let Some(directory) = &asked.write {
        shown::pictures(&found, directory, suffix);
    }
    if !asked.json {
        shown::tables(&found);
    }
}

/// What was found, and what is added to the names of its files.
fn measure(scene: &Scene<'_>, rounds: usize) -> (Found, &'static str) {
    let (host, machine) = (scene.host, Machine::describe());
    let keeper = Scene::keep_the_table(host);
    let (mut contenders, absent) = contenders(scene);
    end_state::must_be_equal(&mut contenders);
    let times = rounds::play(&mut contenders, rounds);
    let count = |contender: &mut Box<dyn Contender + '_>| counted::count(&mut **contender, rounds);
    let counts = contenders.iter_mut().map(count).collect();
    drop(contenders);
    let steps = steps::trace(
        &mut in_process::InProcess::new(host, "example"),
        &mut traced(scene),
        rounds.min(MOST_TRACED),
    );
    let process = process::measure(host, rounds);
    host.detach(&keeper).ok();
    let given = scene.words();
    let found = Found { machine, rounds, given, contenders: times, counts, absent, steps, process };
    (found, scene.suffix())
}

/// Whoever tells of its steps.
fn traced<'a>(scene: &Scene<'a>) -> Vec<Box<dyn steps::Traced + 'a>> {
    let host = scene.host;
    let mut traced: Vec<Box<dyn steps::Traced + 'a>> =
        vec![Box::new(in_process::InProcess::new(host, "traced"))];
    if scene.function.is_none() {
        traced.push(Box::new(nri::Nri::traced()));
    }
    traced.push(Box::new(hook::Hook::new(host, "traced-hook")));
    traced.push(Box::new(command::Command::new(host)));
    traced
}

/// Who takes part, the floor first, and who does not, and why.
fn contenders<'a>(scene: &Scene<'a>) -> (Contenders<'a>, Absent) {
    let host = scene.host;
    let lease = in_process::InProcess::new(host, "example").lease();
    let promises = promises::Promises::as_in(&lease, host.directory.join("promises"));
    let mut contenders: Contenders<'a> = vec![
        Box::new(floor::Floor::new(Which::ALONE, scene.device(), None)),
        Box::new(floor::Floor::new(Which::ALONE, scene.device(), Some(promises))),
        Box::new(in_process::InProcess::new(host, "in-process")),
    ];
    let mut absent = Vec::new();
    if scene.function.is_none() {
        contenders.push(Box::new(nri::Nri::start()));
    } else {
        absent.push((nri::NAME, "not here: its daemon would hear of the others".to_owned()));
    }
    contenders.push(Box::new(hook::Hook::new(host, "hook")));
    contenders.push(Box::new(command::Command::new(host)));
    contenders.push(Box::new(batch::Batch::new(scene)));
    if scene.function.is_none() {
        contenders.push(Box::new(recipe::Recipe::new(host)));
    }
    match cni::Plugins::lacking() {
        None => contenders.push(Box::new(cni::Plugins::new(scene))),
        Some(why) => absent.push((cni::NAME, why)),
    }
    match cni::Plugins::lacking_sriov(scene) {
        None => contenders.push(Box::new(cni::Plugins::with_sriov(scene))),
        Some(why) => absent.push((cni::SRIOV, why)),
    }
    (contenders, absent)
}
