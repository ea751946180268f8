//! What services inside cost: on their way to a backend, beside the straight way and the one by the host; and by their number, in memory, in
//! time until a change has come to the last sandbox, and while changes come all the time. In a namespace that plays the host, on macvlans.
//! `cargo bench --bench services`, or one of both: `cargo bench --bench services -- ways`
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot set its scene has nothing to say"
)]

mod announced;
#[path = "../growth/daemon.rs"]
mod daemon;
#[path = "../growth/held.rs"]
mod held;
#[path = "../../tests/netns_support/mod.rs"]
mod netns_support;
mod scale;
mod traffic;
mod ways;

use netns_support::host::{on_a_host, with_bpf};
use nix::sys::resource::{Resource, setrlimit};

/// Each sandbox is held open by a descriptor, and so is each namespace of a look.
const DESCRIPTORS: u64 = 4096;

fn main() {
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS).expect("more descriptors");
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, bench) in [("ways", ways::compare as fn(&_)), ("scale", scale::tell)] {
        if asked.is_empty() || asked.iter().any(|word| word == name) {
            on_a_host(|host| {
                with_bpf();
                bench(host);
            });
        }
    }
}
