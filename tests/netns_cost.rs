//! What an attachment costs does not grow with what else is on the host: messages are counted, time is measured in pairs.
#![cfg(test)]

mod netns_support;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use netns_support::{
    host::{Host, on_a_host},
    processor,
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

/// How much more work an attachment may be among many. More than noise, less than any dependence.
const SLOWER: f64 = 1.3;

/// How often it may be measured again.
const TRIES: usize = 3;

fn attach(host: &Host, sandbox: &Sandbox, id: &str, network: &str) -> AttachReport {
    let event = SandboxEvent {
        origin: vfhook::types::Origin::Command,
        id: id.parse().unwrap(),
        netns: sandbox.source(),
        pod: None,
        namespace: None,
        networks: vec![NetworkRequest::plain(network.parse().unwrap())],
        service_path_off: false,
        outside: None,
        primary: None,
        wording: None,
        more_to_come: false,
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

/// What one attachment took, from the opening of the first socket to the lease's last word.
struct Took {
    /// By the clock.
    wall: Duration,
    /// Of the processor, in this thread; the kernel does what a netlink message asks for on its sender's time.
    work: Duration,
}

fn timed(host: &Host, sandbox: &Sandbox) -> Took {
    let (began, worked) = (Instant::now(), processor::of_this_thread());
    attach(host, sandbox, "probe", "storage");
    let took =
        Took { wall: began.elapsed(), work: processor::of_this_thread().saturating_sub(worked) };
    detach(host, "probe");
    took
}

/// The median in milliseconds.
fn median(all: &[Took], of: impl Fn(&Took) -> Duration) -> f64 {
    let mut times: Vec<Duration> = all.iter().map(of).collect();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// Two hosts beside each other, one with many leases, taken in turns. The clock of a machine that is busy with something
/// else, and the one lock that all its namespaces share, say little about us: what decides is the work.
#[test]
fn time_does_not_grow_with_leases() {
    on_a_host(|lonely| {
        let place = Sandbox::nameless();
        let crowded = place.inside(|| Host::set_up(Path::new("/run/crowded")));
        let (mut one, mut others) = (Vec::new(), Vec::new());
        fill(lonely, &mut one, 1);
        place.inside(|| fill(&crowded, &mut others, MANY_LEASES));
        let probe = Sandbox::nameless();
        let compare = || compare(lonely, &place, &crowded, &probe);
        let ratios: Vec<f64> =
            (0..TRIES).map(|_| compare()).take_while(|it| *it > SLOWER).collect();
        assert!(ratios.len() < TRIES, "so many times the work among many: {ratios:?}");
    });
}

/// How many times the work of an attachment on the lonely host one on the crowded host is.
fn compare(lonely: &Host, place: &Sandbox, crowded: &Host, probe: &Sandbox) -> f64 {
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        few.push(timed(lonely, probe));
        many.push(place.inside(|| timed(crowded, probe)));
    }
    let figures = |what: &str, of: fn(&Took) -> Duration| {
        let (few, many) = (median(&few, of), median(&many, of));
        let ratio = many / few;
        println!(
            "attach, {what}: {few:.2} ms beside 1 lease, {many:.2} ms beside {MANY_LEASES}: {ratio:.2}x"
        );
        ratio
    };
    figures("by the clock", |took| took.wall);
    figures("work", |took| took.work)
}
