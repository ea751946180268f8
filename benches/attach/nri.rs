//! A pod's life through NRI: a real `vfhook serve`, and a runtime that tells it of a pod and waits for the answer. The daemon lives
//! on a host of its own, equal to the others', so that it does not hear of what they do.

use std::time::Duration;

use containerd_nri::{
    Event, PodSandbox,
    fake::{FakeRuntime, NriVersion, Peer, Profile},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    contender::{Contender, Worker},
    netns_support::{command::Running, host::on_a_host, node::pod, sandbox::Sandbox},
    scene::Scene,
};

/// How long the daemon may take to dial.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const NAME: &str = "through NRI";

pub(crate) struct Nri {
    sandbox: Sandbox,
    pod: PodSandbox,
    waiter: Runtime,
    peer: Peer,
    daemon: Running,
    _keeper: Sandbox,
    _socket: TempDir,
}

impl Nri {
    pub(crate) fn start() -> Self {
        // The daemon's host has a `/run` of its own, which is not seen from here.
        let socket = tempfile::tempdir().expect("a directory that both see");
        let path = socket.path().join("nri.sock");
        let waiter = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let waiter = waiter.expect("an event loop");
        let profile = Profile::of(NriVersion::V0_8);
        let runtime = waiter.block_on(async { FakeRuntime::listen(&path, profile) });
        let runtime = runtime.expect("listen");
        let (daemon, keeper) = on_a_host(|host| {
            let keeper = Scene::keep_the_table(host);
            (host.start(&["serve", "--nri-socket", &path.to_string_lossy()], ""), keeper)
        });
        let peer = waiter.block_on(async {
            let accepted = tokio::time::timeout(PATIENCE, runtime.accept()).await;
            let mut peer = accepted.expect("the daemon dials").expect("accept");
            peer.introduce(&[], &[]).await.expect("the handshake");
            peer
        });
        let sandbox = Sandbox::nameless();
        let pod = pod("nri", Some(&sandbox), Some("storage"));
        Self { sandbox, pod, waiter, peer, daemon, _keeper: keeper, _socket: socket }
    }

    fn tell(&mut self, event: Event) {
        let answered = self.waiter.block_on(self.peer.pod_event(event, &self.pod));
        assert!(answered.answer().is_some(), "{event:?} is refused");
    }
}

impl Contender for Nri {
    fn name(&self) -> &'static str {
        NAME
    }

    fn attach(&mut self) {
        self.tell(Event::RunPodSandbox);
    }

    fn detach(&mut self) {
        self.tell(Event::StopPodSandbox);
    }

    fn settle(&mut self) {
        self.tell(Event::RemovePodSandbox);
    }

    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn worker(&self) -> Worker {
        Worker::Daemon(self.daemon.child.id())
    }
}
