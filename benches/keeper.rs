//! What it costs to look whether leases hold, by how many there are, and what `vfhook serve` costs when a tenant flaps; at rest, see
//! `growth`. In a namespace that plays the host. `cargo bench --bench keeper`
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot set its scene has nothing to say"
)]

#[path = "growth/daemon.rs"]
mod daemon;
#[path = "growth/held.rs"]
mod held;
#[path = "../tests/netns_support/mod.rs"]
mod netns_support;

use std::{thread, time::Duration};

use held::{Held, in_time};
use netns_support::{
    flap::flapping,
    host::{Host, on_a_host},
    processor,
};
use nix::sys::resource::{Resource, setrlimit};
use vfhook::{
    kernel::Kernel,
    operation::{self, Retry},
};

/// How many leases there are when it is measured.
const LEASES: [usize; 4] = [1, 10, 100, 1000];
/// Each sandbox of the bench is held open by a descriptor, and so is each namespace of a look.
const DESCRIPTORS: u64 = 4096;
/// Looks at all leases of which the median is told.
const LOOKS: usize = 5;
/// How long the daemon is watched.
const WHILE: Duration = Duration::from_secs(20);

fn main() {
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS).expect("more descriptors");
    on_a_host(|host| {
        host.configure(&netns_support::config::VETH.replace("172.16.3.250/22", "172.16.7.250/21"));
        println!("each lease: one macvlan (4) and a service path (4 + 6), all of them whole");
        println!("{:>8} {:>10} {:>12} {:>12}", "leases", "messages", "work", "by a lease");
        let mut held = Held::none(host, "backup");
        for count in LEASES {
            held.become_many(count);
            look(host, count);
        }
        let watched = daemon::watch(host, || {
            flapping(&held.sandboxes[0], "svc0", || thread::sleep(WHILE));
        });
        println!("\n`serve` while one sandbox of them flaps, watched for {WHILE:?}");
        println!("memory      {:>8} KiB", watched.resident_kib);
        println!("wake-ups    {:>8.0} a minute", watched.wakeups_a_minute);
        println!("of a core   {:>8.2} %", watched.processor_percent);
    });
}

/// All leases, as `vfhook reconcile` looks at them.
fn look(host: &Host, count: usize) {
    let context = host.context();
    let mut all: Vec<(Duration, u64)> = (0..LOOKS)
        .map(|_| {
            let worked = processor::of_this_thread();
            let mut kernel = host.kernel();
            let found = operation::reconcile(
                &mut kernel,
                &context,
                |_| false,
                Retry::InTime,
                false,
                in_time(),
            );
            assert_eq!(found.expect("a look"), [], "all are whole");
            (processor::of_this_thread().saturating_sub(worked), kernel.messages())
        })
        .collect();
    all.sort();
    let (work, messages) = all[LOOKS / 2];
    let each = work / u32::try_from(count).expect("a small number");
    println!("{count:>8} {messages:>10} {work:>12.1?} {each:>12.1?}");
}
