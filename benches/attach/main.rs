//! What an attachment and its end cost, beside the fewest netlink messages that lead to the same end state (the floor) and
//! beside `ip` commands one by one. All contenders take turns in one run, in namespaces of their own; nothing of the
//! machine's own network is touched. `cargo bench --bench attach -- 100` makes 100 rounds of it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot set its scene has nothing to say"
)]

mod end_state;
mod floor;
mod hook;
mod in_process;
#[path = "../../tests/netns_support/mod.rs"]
mod netns_support;
mod process;
mod recipe;
#[path = "../report/mod.rs"]
mod report;
mod rounds;
mod table;

use netns_support::{
    host::{Host, on_a_host},
    sandbox::Sandbox,
};

/// A way to the same end state.
trait Contender {
    /// What the table calls it.
    fn name(&self) -> String;
    /// Attaches the sandbox.
    fn attach(&mut self);
    /// Takes it back.
    fn detach(&mut self);
    /// The sandbox it works on, which is its own.
    fn sandbox(&self) -> &Sandbox;
}

/// Rounds when the command line gives no number.
const ROUNDS: usize = 60;

fn main() {
    // Cargo adds `--bench`.
    let given = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let rounds = given.unwrap_or(ROUNDS);
    on_a_host(|host| {
        let keeper = keep_the_table(host);
        let mut contenders: Vec<Box<dyn Contender + '_>> = vec![
            Box::new(floor::Floor::new(host)),
            Box::new(in_process::InProcess::new(host)),
            Box::new(hook::Hook::new(host)),
            Box::new(recipe::Recipe::new(host)),
        ];
        end_state::must_be_equal(&mut contenders);
        table::headline(rounds);
        table::contenders(&rounds::play(&mut contenders, rounds));
        table::process(&process::measure(host, rounds));
        drop(keeper);
    });
}

/// The masquerade table is made once and shared by all sandboxes: a sandbox beside the others keeps it, so that nobody's
/// time has it.
fn keep_the_table(host: &Host) -> Sandbox {
    let keeper = Sandbox::nameless();
    host.vfhook(&["attach", "--netns", keeper.as_str(), "--network", "backup"]).ok();
    keeper
}
