//! A pod's life through NRI: a real `vfhook serve`, and a runtime that tells it of a pod and waits for the answer. The daemon lives
//! on a host of its own, equal to the others', so that it does not hear of what they do.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use containerd_nri::{
    Event, PodSandbox,
    fake::{FakeRuntime, NriVersion, Peer, Profile},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    contender::{Contender, Worker},
    netns_support::{
        command::Leashed,
        host::{Host, on_a_host},
        node::pod,
        sandbox::Sandbox,
    },
    scene::Scene,
    steps::{Lap, Traced, written},
};

/// How long the daemon may take to dial.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the daemon may go on after it answered, without a word.
const AFTER_THE_ANSWER: Duration = Duration::from_millis(250);

pub(crate) const NAME: &str = "through NRI";

const LOG: &str = "log";

pub(crate) struct Nri {
    sandbox: Sandbox,
    pod: PodSandbox,
    waiter: Runtime,
    peer: Peer,
    daemon: Leashed,
    _keeper: Sandbox,
    /// Where the socket is, and the log of a daemon that tells of each step.
    directory: TempDir,
}

impl Nri {
    pub(crate) fn start() -> Self {
        Self::with(|host, socket, _| host.start(&serving(socket), "").child)
    }

    /// With a daemon that tells of each step.
    pub(crate) fn traced() -> Self {
        Self::with(|host, socket, log| {
            let log = File::create(log).expect("write to a directory of our own");
            let mut command = host.command(&serving(socket));
            command.env("VFHOOK_LOG", "debug").stdin(Stdio::null()).stderr(log);
            Leashed(command.spawn().expect("start vfhook"))
        })
    }

    /// `serve` starts a daemon on a host: with the socket to dial, and a file for its log.
    fn with(serve: fn(&Host, &str, &Path) -> Leashed) -> Self {
        // The daemon's host has a `/run` of its own, which is not seen from here.
        let directory = tempfile::tempdir().expect("a directory that both see");
        let path = directory.path().join("nri.sock");
        let waiter = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let waiter = waiter.expect("an event loop");
        let profile = Profile::of(NriVersion::V0_8);
        let runtime = waiter.block_on(async { FakeRuntime::listen(&path, profile) });
        let runtime = runtime.expect("listen");
        let (daemon, keeper) = on_a_host(|host| {
            let keeper = Scene::keep_the_table(host);
            (serve(host, &path.to_string_lossy(), &directory.path().join(LOG)), keeper)
        });
        let peer = waiter.block_on(async {
            let accepted = tokio::time::timeout(PATIENCE, runtime.accept()).await;
            let mut peer = accepted.expect("the daemon dials").expect("accept");
            peer.introduce(&[], &[]).await.expect("the handshake");
            peer
        });
        let sandbox = Sandbox::nameless();
        let pod = pod("nri", Some(&sandbox), Some("storage"));
        Self { sandbox, pod, waiter, peer, daemon, _keeper: keeper, directory }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join(LOG)).expect("a daemon's log")
    }

    /// What the daemon tells of `work`: whatever comes until it has nothing more to say.
    fn lap(&mut self, answered_last: bool, work: impl FnOnce(&mut Self)) -> Lap {
        let before = self.log().len();
        let began = Instant::now();
        work(self);
        let took = began.elapsed();
        let steps = |log: &str| log.lines().filter_map(written).count();
        let mut told = 0;
        loop {
            thread::sleep(AFTER_THE_ANSWER);
            let log = self.log();
            let now = steps(&log[before..]);
            if now == told && now > 0 {
                return Lap::written(took, &log[before..], answered_last);
            }
            told = now;
        }
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
        Worker::Daemon(self.daemon.id())
    }
}

impl Traced for Nri {
    fn attach_traced(&mut self) -> Lap {
        self.lap(true, Contender::attach)
    }

    /// The runtime has its answer when devices are home, and the daemon goes on.
    fn detach_traced(&mut self) -> Lap {
        let lap = self.lap(false, Contender::detach);
        self.settle();
        lap
    }
}

fn serving(socket: &str) -> [&str; 3] {
    ["serve", "--nri-socket", socket]
}
