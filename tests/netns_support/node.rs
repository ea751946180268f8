//! A node whose container runtime speaks NRI and needs no container: what a daemon under test connects to, and the pods it is told of.

use std::{path::PathBuf, process::Command, time::Duration};

use containerd_nri::{
    Namespace, PodSandbox,
    fake::{FakeRuntime, NriVersion, Peer, Profile},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    command::Running,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};

/// How long anything that happens by itself may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test that waits for a runtime on a thread that is in the host's namespace.
pub(crate) fn on_a_node(test: impl AsyncFnOnce(&Host) + Send) {
    on_a_host(|host| {
        let waiter = tokio::runtime::Builder::new_current_thread().enable_all().build();
        waiter.expect("an event loop").block_on(test(host));
    });
}

/// Where the host's runtime listens.
pub(crate) fn socket(host: &Host) -> PathBuf {
    host.directory.join("nri.sock")
}

/// The daemon that is to serve it, not started yet.
pub(crate) fn daemon(host: &Host) -> Command {
    host.command(&["serve", "--nri-socket", &socket(host).to_string_lossy()])
}

/// A runtime of this version.
pub(crate) fn listen(host: &Host, nri: NriVersion) -> FakeRuntime {
    FakeRuntime::listen(socket(host), Profile::of(nri)).expect("listen")
}

/// Waits for a daemon to connect and tells it of these pods.
pub(crate) async fn connected(runtime: &FakeRuntime, pods: &[PodSandbox]) -> Peer {
    let accepted = tokio::time::timeout(PATIENCE, runtime.accept()).await;
    let mut peer = accepted.expect("the daemon dials").expect("accept");
    peer.introduce(pods, &[]).await.expect("the handshake");
    peer
}

pub(crate) fn signal(daemon: &Running, signal: Signal) {
    let pid = i32::try_from(daemon.child.id()).expect("a pid");
    kill(Pid::from_raw(pid), signal).expect("a signal to a child of ours");
}

/// A pod in namespace `team-a`.
pub(crate) fn pod(id: &str, sandbox: Option<&Sandbox>, asks: Option<&str>) -> PodSandbox {
    let mut pod = PodSandbox::default();
    (pod.id, pod.name, pod.namespace) = (id.to_owned(), id.to_owned(), "team-a".to_owned());
    pod.namespaces =
        sandbox.map(|sandbox| Namespace::new("network", sandbox.as_str())).into_iter().collect();
    if let Some(networks) = asks {
        pod.annotations.insert("vfhook.dev/networks".to_owned(), networks.to_owned());
    }
    pod
}
