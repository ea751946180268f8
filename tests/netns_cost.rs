//! What an attachment costs does not grow with what else is on the host: messages are counted, time is measured in pairs.
#![cfg(test)]

mod netns_support;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use netns_support::{
    host::{Host, on_a_host},
    sandbox::Sandbox,
};
use vfhook::{
    operation::{self, AttachReport, Which},
    request::{NetworkRequest, SandboxEvent},
    types::{Deadline, SandboxId},
};

const MANY_LEASES: usize = 200;
const MANY_LINKS: usize = 50;

/// Pairs of attachments that are timed.
const ROUNDS: usize = 31;

/// How much slower an attachment may be among many. More than the noise of a busy machine, less than any dependence.
const SLOWER: f64 = 1.3;

/// Often enough that a machine busy with something else does not decide.
const TRIES: usize = 3;

fn attach(host: &Host, sandbox: &Sandbox, id: &str, network: &str) -> AttachReport {
    let event = SandboxEvent {
        origin: vfhook::types::Origin::Command,
        id: id.parse().unwrap(),
        netns: sandbox.source(),
        namespace: None,
        networks: vec![NetworkRequest::plain(network.parse().unwrap())],
        service_path_off: false,
    };
    let deadline = Deadline::after(Duration::from_secs(10));
    operation::attach(&mut host.kernel(), &host.context(), &event, deadline)
        .unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

fn detach(host: &Host, id: &str) {
    let id: SandboxId = id.parse().unwrap();
    let deadline = Deadline::after(Duration::from_secs(10));
    operation::detach(&mut host.kernel(), &host.context(), &Which::Id(id), deadline)
        .unwrap_or_else(|error| panic!("{error}: {error:?}"));
}

/// Messages of one attachment beside what is there. The first ever also makes the table, so it does not count.
fn messages(host: &Host) -> u64 {
    let sandbox = Sandbox::nameless();
    let count = attach(host, &sandbox, "probe", "storage").netlink_messages;
    detach(host, "probe");
    count
}

/// Attaches until there are so many. They are on another card: each macvlan hears each announcement on its own, which costs
/// the kernel what no one can spare it.
fn fill(host: &Host, sandboxes: &mut Vec<Sandbox>, leases: usize) {
    while sandboxes.len() < leases {
        let sandbox = Sandbox::nameless();
        attach(host, &sandbox, &format!("filler{}", sandboxes.len()), "backup");
        sandboxes.push(sandbox);
    }
}

#[test]
fn messages_do_not_grow_with_leases() {
    on_a_host(|host| {
        let mut sandboxes = Vec::new();
        fill(host, &mut sandboxes, 1);
        let few = messages(host);
        fill(host, &mut sandboxes, MANY_LEASES);
        let many = messages(host);
        println!("netlink messages: {few} beside 1 lease, {many} beside {MANY_LEASES}");
        assert_eq!(few, many);
    });
}

#[test]
fn messages_do_not_grow_with_links() {
    on_a_host(|host| {
        let mut sandboxes = Vec::new();
        fill(host, &mut sandboxes, 1);
        let few = messages(host);
        let add = |n: usize| format!("link add other{n} type bridge");
        let bridges: Vec<String> = (0..MANY_LINKS).map(add).collect();
        host.ip(&bridges.iter().map(String::as_str).collect::<Vec<_>>());
        let many = messages(host);
        println!("netlink messages: {few} beside 1 other link, {many} beside {MANY_LINKS}");
        assert_eq!(few, many);
    });
}

/// The time from the opening of the first socket to the lease's last word.
fn timed(host: &Host, sandbox: &Sandbox) -> Duration {
    let began = Instant::now();
    attach(host, sandbox, "probe", "storage");
    let took = began.elapsed();
    detach(host, "probe");
    took
}

/// The median in milliseconds, and the time that a quarter did not need: a busy machine makes the slow ones slower, while
/// work that grows makes all of them slower.
fn middle_and_quarter(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let at = |position: usize| times[position].as_secs_f64() * 1000.0;
    (at(times.len() / 2), at(times.len() / 4))
}

/// Two hosts beside each other, one with many leases, taken in turns: what else the machine does, it does to both.
#[test]
fn time_does_not_grow_with_leases() {
    on_a_host(|lonely| {
        let place = Sandbox::nameless();
        let crowded = place.inside(|| Host::set_up(Path::new("/run/crowded")));
        let (mut one, mut others) = (Vec::new(), Vec::new());
        fill(lonely, &mut one, 1);
        place.inside(|| fill(&crowded, &mut others, MANY_LEASES));
        let probe = Sandbox::nameless();
        for left in (0..TRIES).rev() {
            let (mut few, mut many) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                few.push(timed(lonely, &probe));
                many.push(place.inside(|| timed(&crowded, &probe)));
            }
            let (few, many) = (middle_and_quarter(few), middle_and_quarter(many));
            let ratio = many.1 / few.1;
            println!(
                "attach, median and lower quartile: {:.2} and {:.2} ms beside 1 lease, {:.2} and {:.2} ms beside {MANY_LEASES}: {ratio:.2}x",
                few.0, few.1, many.0, many.1
            );
            if ratio <= SLOWER {
                return;
            }
            assert!(left > 0, "{ratio:.2}x slower among many, {TRIES} times in a row");
        }
    });
}
