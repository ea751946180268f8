//! What looking at leases costs the daemon, whatever a tenant does.
#![cfg(test)]

mod netns_support;

use std::{
    thread,
    time::{Duration, Instant},
};

use netns_support::{
    flap::flapping,
    host::{Host, on_a_host},
    node::signal,
    processor,
    sandbox::Sandbox,
};
use nix::sys::signal::Signal;

const LEASES: usize = 60;
/// How long one of them flaps.
const WHILE: Duration = Duration::from_secs(8);
/// What of one core the daemon may take.
const SHARE: f64 = 0.05;
/// How often it may be measured again: on a busy machine the same work takes more of a processor.
const TRIES: usize = 3;
/// When another's lease is mended, though nothing tells of what was taken: when its turn comes, which is every three seconds.
const SOON: Duration = Duration::from_secs(8);

fn attached(host: &Host) -> Vec<Sandbox> {
    let sandboxes: Vec<Sandbox> = (0..LEASES).map(|_| Sandbox::nameless().quiet()).collect();
    for sandbox in &sandboxes {
        host.attach(sandbox, "backup", &[]).ok();
    }
    sandboxes
}

fn neighbours(sandbox: &Sandbox) -> String {
    sandbox.ip("neighbour show dev svc0 nud permanent")
}

/// What the daemon takes while another's lease is broken and mended.
fn share_of_a_core(daemon: u32, other: &Sandbox, whole: &str) -> f64 {
    let (began, worked) = (Instant::now(), processor::of_process(daemon));
    other.ip("neighbour flush dev svc0 nud permanent");
    while neighbours(other) != whole {
        assert!(began.elapsed() < SOON, "{}", neighbours(other));
        thread::sleep(Duration::from_millis(100));
    }
    let mended = began.elapsed();
    thread::sleep(WHILE.saturating_sub(mended));
    let work = processor::of_process(daemon).saturating_sub(worked);
    println!("another's lease mended in {mended:.1?}; work {work:.1?} in {WHILE:?}");
    work.as_secs_f64() / began.elapsed().as_secs_f64()
}

#[test]
fn a_sandbox_that_flaps_costs_little_and_delays_nobody() {
    on_a_host(|host| {
        let sandboxes = attached(host);
        let [flapper, .., other] = sandboxes.as_slice() else { panic!("too few") };
        let whole = neighbours(other);
        let daemon = host.start(&["serve", "--nri-socket", "/run/none.sock"], "");
        let pid = daemon.child.id();
        thread::sleep(Duration::from_secs(1));
        let share = || flapping(flapper, "svc0", || share_of_a_core(pid, other, &whole));
        let shares: Vec<f64> = (0..TRIES).map(|_| share()).take_while(|it| *it > SHARE).collect();
        assert!(shares.len() < TRIES, "the daemon takes that much of a core: {shares:.3?}");
        signal(&daemon, Signal::SIGTERM);
        daemon.wait().ok();
    });
}
