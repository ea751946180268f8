//! Whether an attachment and its end cost more where there is more of everything: other leases, other links, VFs to choose from, others
//! who do the same at that moment; and what `vfhook serve` costs at rest. In a namespace that plays the host.
//! `cargo bench --bench growth -- leases storm 100` measures those two alone, in 100 rounds; without a name it measures all.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot set its scene has nothing to say"
)]

mod arguments;
#[path = "../attach/contender.rs"]
#[expect(dead_code, reason = "what the attach bench asks of it besides")]
mod contender;
mod daemon;
#[path = "../attach/device.rs"]
#[expect(dead_code, reason = "what the attach bench asks of it besides")]
mod device;
#[path = "../attach/end_state.rs"]
mod end_state;
#[path = "../attach/floor.rs"]
mod floor;
mod functions;
mod growth;
mod held;
#[path = "../attach/hook.rs"]
mod hook;
mod idle;
#[path = "../attach/in_process.rs"]
#[expect(dead_code, reason = "what the attach bench asks of it besides")]
mod in_process;
#[path = "../attach/line.rs"]
mod line;
#[path = "../attach/messages.rs"]
mod messages;
#[path = "../../tests/netns_support/mod.rs"]
mod netns_support;
mod one;
mod picture;
#[path = "../attach/promises.rs"]
#[expect(dead_code, reason = "what the attach bench asks of it besides")]
mod promises;
#[path = "../report/mod.rs"]
mod report;
mod storm;
mod sweep;

use netns_support::{
    config::VETH,
    host::{Host, on_a_host},
};
use nix::sys::resource::{Resource, setrlimit};
use serde_json::{Map, Value, json};

use crate::{
    arguments::{Arguments, Part},
    growth::Growth,
    held::Held,
    report::machine::Machine,
};

/// Rounds at each visit of a size, which has two of them.
const ROUNDS: usize = 40;

/// Of those in which many are attached at once.
const STORMS: usize = 8;

/// Each sandbox is held open by a descriptor.
const DESCRIPTORS: u64 = 4096;

fn main() {
    let arguments = Arguments::of_command_line();
    let machine = Machine::describe();
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS).expect("more descriptors");
    on_a_host(|host| {
        host.configure(&roomy());
        // The masquerade table is made by the first lease and goes with the last: nobody's time is to have that.
        let mut keeper = Held::none(host, "seven");
        keeper.become_many(1);
        let mut document = Map::new();
        document.insert("machine".to_owned(), json!(machine));
        arguments.say(&machine.line());
        let growths = measure(host, &arguments);
        for growth in &growths {
            arguments.say(&growth.tables());
            document.insert(growth.name.to_owned(), growth.document());
        }
        if arguments.wants(Part::Idle) {
            let idle = idle::measure(host);
            arguments.say(&idle::table(&idle));
            document.insert("idle".to_owned(), json!(idle));
        }
        picture::draw(&arguments, &machine.line(), &growths);
        arguments.asked.tell("growth", &Value::Object(document));
    });
}

/// What is asked for, but for the daemon at rest.
fn measure(host: &Host, arguments: &Arguments) -> Vec<Growth> {
    let rounds = arguments.asked.rounds.unwrap_or(ROUNDS);
    let storms = arguments.asked.rounds.unwrap_or(STORMS);
    let mut growths = Vec::new();
    if arguments.wants(Part::Leases) {
        let others = one::beside_leases(host, "backup", rounds);
        growths.push(Growth::of_one("leases on another card", others));
        let same = one::beside_leases(host, "crowd", rounds);
        growths.push(Growth::of_one("leases on its card", same));
    }
    if arguments.wants(Part::Links) {
        growths.push(Growth::of_one("links", one::beside_links(host, rounds)));
    }
    if arguments.wants(Part::Functions) {
        growths.push(Growth::of_functions(functions::beside_functions(host, rounds)));
    }
    if arguments.wants(Part::Storm) {
        growths.push(Growth::of_storms(storm::storm(host, storms)));
    }
    growths
}

/// The usual configuration with room for a thousand leases in two networks, and with sources that the floor does not use.
fn roomy() -> String {
    let usual = VETH
        .replace("172.16.3.250/22", "172.16.7.250/21")
        .replace("169.254.96.0/20", "169.254.96.0/21")
        .replace("fd00:97::/112", "fd00:97::/113");
    usual + CROWD
}

/// A network on the card of what is measured.
const CROWD: &str = r#"
[[network]]
name = "crowd"
pool = "fast"
interface = "net1"
addresses = ["172.20.0.1-172.20.7.250/21"]
"#;
