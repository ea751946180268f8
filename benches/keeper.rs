//! What it costs to look whether leases hold, by how many there are, and what `vfhook serve` costs when nothing happens and when a tenant
//! flaps. In a namespace that plays the host. `cargo bench --bench keeper`
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot set its scene has nothing to say"
)]

#[path = "../tests/netns_support/mod.rs"]
mod netns_support;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use netns_support::{
    command::Running,
    flap::flapping,
    host::{Host, on_a_host},
    node::signal,
    processor,
    sandbox::Sandbox,
};
use nix::sys::{
    resource::{Resource, setrlimit},
    signal::Signal,
};
use vfhook::{
    kernel::Kernel,
    operation::{self, Retry},
    request::{NetworkRequest, SandboxEvent},
    types::{Deadline, Origin},
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
        let mut sandboxes = Vec::new();
        for count in LEASES {
            fill(host, &mut sandboxes, count);
            look(host, count);
        }
        println!("\n`serve`, watched for {WHILE:?}");
        println!("{:<32} {:>10} {:>12} {:>10}", "", "memory", "wake-ups/min", "of a core");
        serving(host, "1,000 leases at rest", || thread::sleep(WHILE));
        serving(host, "1,000 leases, one of them flaps", || {
            flapping(&sandboxes[0], "svc0", || thread::sleep(WHILE));
        });
        for (left, what) in [(100, "100 leases at rest"), (0, "no lease")] {
            empty(host, &mut sandboxes, left);
            serving(host, what, || thread::sleep(WHILE));
        }
    });
}

fn fill(host: &Host, sandboxes: &mut Vec<Sandbox>, count: usize) {
    let (mut kernel, context) = (host.kernel(), host.context());
    while sandboxes.len() < count {
        let sandbox = Sandbox::nameless().quiet();
        let event = SandboxEvent {
            origin: Origin::Command,
            id: format!("lease{}", sandboxes.len()).parse().unwrap(),
            netns: sandbox.source(),
            pod: None,
            namespace: None,
            networks: vec![NetworkRequest::plain("backup".parse().unwrap())],
            service_path_off: false,
            primary: None,
        };
        operation::attach(&mut kernel, &context, &event, deadline())
            .unwrap_or_else(|error| panic!("{error}: {error:?}"));
        sandboxes.push(sandbox);
    }
}

fn empty(host: &Host, sandboxes: &mut Vec<Sandbox>, left: usize) {
    while sandboxes.len() > left {
        let sandbox = sandboxes.pop().expect("there are more");
        host.detach(&sandbox).ok();
    }
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
                deadline(),
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

fn serving(host: &Host, what: &str, meanwhile: impl FnOnce()) {
    let daemon = host.start(&["serve", "--nri-socket", "/run/none.sock"], "");
    // What it does at its start is not what it does at rest.
    thread::sleep(Duration::from_secs(4));
    let pid = daemon.child.id();
    let (began, worked, woken) = (Instant::now(), processor::of_process(pid), wakeups(pid));
    meanwhile();
    let elapsed = began.elapsed().as_secs_f64();
    let work = processor::of_process(pid).saturating_sub(worked).as_secs_f64();
    let woken = f64::from(wakeups(pid) - woken) * 60.0 / elapsed;
    println!(
        "{what:<32} {:>6} KiB {woken:>12.0} {:>8.2} %",
        memory(&daemon),
        100.0 * work / elapsed
    );
    signal(&daemon, Signal::SIGTERM);
    daemon.wait().ok();
}

/// Its resident memory in KiB.
fn memory(daemon: &Running) -> u64 {
    field(&format!("/proc/{}/status", daemon.child.id()), "VmRSS:").expect("it runs").into()
}

/// How often any of its threads has waited for something and gone on.
fn wakeups(pid: u32) -> u32 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let status = |thread: fs::DirEntry| thread.path().join("status").display().to_string();
    let waits = |thread| field(&status(thread), "voluntary_ctxt_switches:");
    threads.flatten().filter_map(waits).sum()
}

fn field(file: &str, name: &str) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}
