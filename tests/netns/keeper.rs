//! What looking at leases costs the daemon, whatever a tenant does.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::netns_support::{
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
/// How many times the work at rest the daemon may have while one flaps. What share of a core that is depends on how the program was built
/// and on the machine: `benches/keeper` tells it.
const MORE: f64 = 2.0;
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

/// What the daemon works for a while in which another's lease is broken and mended.
fn work(daemon: u32, other: &Sandbox, whole: &str) -> Duration {
    let (began, worked) = (Instant::now(), processor::of_process(daemon));
    other.ip("neighbour flush dev svc0 nud permanent");
    while neighbours(other) != whole {
        assert!(began.elapsed() < SOON, "{}", neighbours(other));
        thread::sleep(Duration::from_millis(100));
    }
    thread::sleep(WHILE.saturating_sub(began.elapsed()));
    processor::of_process(daemon).saturating_sub(worked)
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
        let times_more = || {
            let at_rest = work(pid, other, &whole);
            let busy = flapping(flapper, "svc0", || work(pid, other, &whole));
            println!(
                "work of the daemon in {WHILE:?}: {at_rest:.1?} at rest, {busy:.1?} while one flaps"
            );
            busy.as_secs_f64() / at_rest.as_secs_f64()
        };
        let times: Vec<f64> =
            (0..TRIES).map(|_| times_more()).take_while(|it| *it > MORE).collect();
        assert!(times.len() < TRIES, "so many times the work at rest: {times:.2?}");
        signal(&daemon, Signal::SIGTERM);
        daemon.wait().ok();
    });
}
