//! What a pod that asks for nothing costs its runtime: from the call to the answer of `vfhook serve`, event by event, with the
//! work of the daemon's own thread beside it. Fails over its budget. `cargo bench --bench nri_event`
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot set its scene has nothing to say"
)]

#[path = "../tests/netns_support/mod.rs"]
mod netns_support;

use std::time::{Duration, Instant};

use containerd_nri::{
    Container, Event, Namespace, PodSandbox,
    fake::{FakeRuntime, NriVersion, Peer, Profile},
};
use netns_support::{
    command::Running,
    host::{Host, on_a_host},
    processor,
};

/// What an event may cost: half of all are to be answered within.
const BUDGET: Duration = Duration::from_micros(100);

/// Lives of pods that are told and not counted, until everything is warm.
const WARM_UP: usize = 200;

/// Lives of pods that are counted.
const LIVES: usize = 5000;

fn main() {
    let over = on_a_host(|host| {
        let waiter = tokio::runtime::Builder::new_current_thread().enable_all().build();
        waiter.expect("an event loop").block_on(measure(host))
    });
    assert!(over.is_empty(), "over {BUDGET:?}: {over:?}");
}

/// Prints a table and gives the events that are over the budget.
async fn measure(host: &Host) -> Vec<&'static str> {
    let socket = host.directory.join("nri.sock");
    let runtime = FakeRuntime::listen(&socket, Profile::of(NriVersion::V0_8)).expect("listen");
    let daemon = host.start(&["serve", "--nri-socket", &socket.to_string_lossy()], "");
    let mut peer = runtime.accept().await.expect("the daemon dials");
    peer.introduce(&[], &[]).await.expect("the handshake");
    let sandbox = host.sandbox("pod");
    let pod = pod(sandbox.as_str());
    for _ in 0..WARM_UP {
        live(&mut peer, &pod).await;
    }
    let worked = time_on_processor(&daemon);
    let mut lives = Vec::with_capacity(LIVES);
    for _ in 0..LIVES {
        lives.push(live(&mut peer, &pod).await);
    }
    let events = u32::try_from(LIVES * 4).expect("a small number");
    let work = time_on_processor(&daemon).saturating_sub(worked) / events;
    println!("a pod that asks for nothing, {LIVES} lives; work of the daemon {work:.1?} an event");
    println!("{:<18} {:>10} {:>10}", "until the answer", "median", "99 %");
    let names = ["RunPodSandbox", "CreateContainer", "StopPodSandbox", "RemovePodSandbox"];
    let over = names.into_iter().enumerate().filter(|(position, name)| {
        let mut times: Vec<Duration> = lives.iter().map(|life| life[*position]).collect();
        times.sort();
        let at = |part: usize| times[times.len() * part / 100];
        println!("{name:<18} {:>10.1?} {:>10.1?}", at(50), at(99));
        at(50) > BUDGET
    });
    over.map(|(_, name)| name).collect()
}

async fn live(peer: &mut Peer, pod: &PodSandbox) -> [Duration; 4] {
    let run = event(peer, Event::RunPodSandbox, pod).await;
    let mut container = Container::default();
    (container.id, container.name) = ("c1".to_owned(), "c1".to_owned());
    let began = Instant::now();
    assert!(peer.create_container(pod, &container).await.answer().is_some(), "refused");
    let create = began.elapsed();
    let stop = event(peer, Event::StopPodSandbox, pod).await;
    [run, create, stop, event(peer, Event::RemovePodSandbox, pod).await]
}

async fn event(peer: &mut Peer, event: Event, pod: &PodSandbox) -> Duration {
    let began = Instant::now();
    assert!(peer.pod_event(event, pod).await.answer().is_some(), "refused");
    began.elapsed()
}

/// A pod as containerd tells of it: labels and annotations that are not ours.
fn pod(netns: &str) -> PodSandbox {
    let mut pod = PodSandbox::default();
    (pod.id, pod.name, pod.namespace) = ("p".repeat(64), "web-1".to_owned(), "team-a".to_owned());
    pod.namespaces = vec![Namespace::new("network", netns)];
    for number in 0..10 {
        pod.annotations.insert(format!("example.com/{number}"), "x".repeat(64));
        pod.labels.insert(format!("app.example.com/{number}"), "web".to_owned());
    }
    pod
}

/// Of the thread that serves events.
fn time_on_processor(daemon: &Running) -> Duration {
    processor::of_main_thread(daemon.child.id())
}
