//! What an attachment and its end cost, beside the fewest netlink messages that lead to the same end state (the floor), beside `ip`
//! and beside the distribution's CNI plugins. All contenders take turns in one run, in namespaces of their own; nothing of the
//! machine's own network is touched. `cargo bench --bench attach -- 100` makes 100 rounds of it, `--json` prints one document in
//! place of the tables, `--write docs/bench` also writes it and the pictures there.
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
mod shown;
mod steps;

use contender::Contender;
use netns_support::{
    host::{Host, on_a_host},
    sandbox::Sandbox,
};
use report::{asked::Asked, machine::Machine};

/// Rounds when the command line gives no number.
const ROUNDS: usize = 60;

/// What one run found.
struct Found {
    machine: Machine,
    rounds: usize,
    contenders: Vec<rounds::Times>,
    /// In the same order.
    counts: Vec<[counted::Counts; 2]>,
    /// Contenders that did not run, and why.
    absent: Vec<(&'static str, String)>,
    /// Of the attachment and the detachment in process.
    steps: [steps::Steps; 2],
    process: process::Process,
}

fn main() {
    let asked = Asked::of_command_line();
    let found = on_a_host(|host| measure(host, asked.rounds.unwrap_or(ROUNDS)));
    asked.tell("attach", &document::of(&found));
    if let Some(directory) = &asked.write {
        shown::pictures(&found, directory);
    }
    if !asked.json {
        shown::tables(&found);
    }
}

fn measure(host: &Host, rounds: usize) -> Found {
    let machine = Machine::describe();
    let keeper = keep_the_table(host);
    let lease = in_process::InProcess::new(host, "example").lease();
    let promises = promises::Promises::as_in(&lease, host.directory.join("promises"));
    let mut contenders: Vec<Box<dyn Contender + '_>> = vec![
        Box::new(floor::Floor::new(None)),
        Box::new(floor::Floor::new(Some(promises))),
        Box::new(in_process::InProcess::new(host, "in-process")),
        Box::new(nri::Nri::start()),
        Box::new(hook::Hook::new(host)),
        Box::new(command::Command::new(host)),
        Box::new(batch::Batch::new(host)),
        Box::new(recipe::Recipe::new(host)),
    ];
    let mut absent = Vec::new();
    match cni::Plugins::lacking() {
        None => contenders.push(Box::new(cni::Plugins::new(host))),
        Some(why) => absent.push((cni::NAME, why)),
    }
    end_state::must_be_equal(&mut contenders);
    let times = rounds::play(&mut contenders, rounds);
    let counts = contenders.iter_mut().map(|contender| counted::count(&mut **contender)).collect();
    drop(contenders);
    let steps = steps::trace(&mut in_process::InProcess::new(host, "traced"), rounds);
    let process = process::measure(host, rounds);
    drop(keeper);
    Found { machine, rounds, contenders: times, counts, absent, steps, process }
}

/// The masquerade table is made once and shared by all sandboxes: a sandbox beside the others keeps it, so that nobody's
/// time has it.
fn keep_the_table(host: &Host) -> Sandbox {
    let keeper = Sandbox::nameless();
    host.vfhook(&["attach", "--netns", keeper.as_str(), "--network", "backup"]).ok();
    keeper
}
