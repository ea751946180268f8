//! Measures what an event costs: from the runtime's call to the plugin's answer, over a socket,
//! with a handler that does nothing. Needs the feature `fake-runtime`.
#![expect(clippy::print_stdout, reason = "it is a command that prints")]

use std::error::Error;
use std::time::{Duration, Instant};

use containerd_nri::fake::{FakeRuntime, NriVersion, Peer, Profile};
use containerd_nri::{
    Container, Event, EventSet, Identity, Launch, Mount, Plugin, PodSandbox, Session,
};

const ROUNDS: usize = 20_000;

struct Idle;

impl Plugin for Idle {
    fn events(&self) -> EventSet {
        EventSet::of(&[Event::RunPodSandbox, Event::CreateContainer])
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("nri.sock");
    let runtime = FakeRuntime::listen(&socket, Profile::of(NriVersion::V0_12))?;
    // A thread of its own, as in a daemon whose runtime is another process.
    std::thread::spawn(move || -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let identity = Identity::new("idle", "10").map_err(|error| error.to_string())?;
        let session = Session::new(identity, Launch::External { socket }, Idle);
        runtime
            .map_err(|error| error.to_string())?
            .block_on(session.run())
            .map_err(|e| e.to_string())
    });
    let mut peer = runtime.accept().await?;
    peer.introduce(&[], &[]).await?;
    let (pod, container) = (pod(), container());
    measure_pods(&mut peer, &pod).await;
    measure_containers(&mut peer, &pod, &container).await;
    Ok(())
}

async fn measure_pods(peer: &mut Peer, pod: &PodSandbox) {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let outcome = peer.pod_event(Event::RunPodSandbox, pod).await;
        times.push(began.elapsed());
        assert!(outcome.answer().is_some());
    }
    report("RunPodSandbox", times);
}

async fn measure_containers(peer: &mut Peer, pod: &PodSandbox, container: &Container) {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let outcome = peer.create_container(pod, container).await;
        times.push(began.elapsed());
        assert!(outcome.answer().is_some());
    }
    report("CreateContainer", times);
}

fn report(event: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    let (median, p99, p999) = (at(500), at(990), at(999));
    println!("{event}: median {median:?}, 99 % {p99:?}, 99.9 % {p999:?}");
}

/// As much as a pod of a cluster has.
fn pod() -> PodSandbox {
    let mut pod = PodSandbox::default();
    pod.id = "f".repeat(64);
    "web-6d4b75cb6d-hx9wz".clone_into(&mut pod.name);
    "default".clone_into(&mut pod.namespace);
    for number in 0..20 {
        pod.labels.insert(format!("example.com/label-{number}"), "value".repeat(5));
        pod.annotations.insert(format!("example.com/annotation-{number}"), "value".repeat(20));
    }
    pod
}

fn container() -> Container {
    let mut container = Container::default();
    container.id = "c".repeat(64);
    container.pod_sandbox_id = "f".repeat(64);
    "web".clone_into(&mut container.name);
    container.args = vec!["--option=value".to_owned(); 10];
    container.env = (0..60).map(|number| format!("VARIABLE_{number}=10.96.0.{number}")).collect();
    container.mounts = (0..12)
        .map(|number| {
            let source = format!("/var/lib/kubelet/pods/uid/volumes/{number}");
            let mount = Mount::bind(source, format!("/var/run/secrets/{number}"));
            mount.with_options(["rbind", "ro"])
        })
        .collect();
    container
}
