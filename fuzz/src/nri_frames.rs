//! The bytes of a runtime's side of NRI: frames, messages, calls, pods. A whole session reads them.

use std::{cell::OnceCell, error::Error, time::Duration};

use containerd_nri::{
    Call, Container, Creation, Event, EventSet, Identity, Launch, Lost, Plugin, PodSandbox,
    Refusal, Session,
};
use tokio::{
    io::{AsyncWriteExt, duplex},
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::{
    nri_pod,
    scene::{assert_fit_to_print, assert_line},
};

/// Room for all that a session says: it registers, and answers.
const ROOM: usize = 1 << 20;

/// Whoever sends bytes and goes is done with in no time.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

/// What vfhook does with a pod, without the doing.
struct Planner;

impl Planner {
    fn take(pod: &PodSandbox) -> Result<(), Refusal> {
        assert!(!pod.id.is_empty(), "a pod with no id reached the plugin");
        match nri_pod::asking(pod) {
            Ok(event) => event.iter().for_each(nri_pod::plan),
            Err(error) => {
                assert_fit_to_print(&error);
                return Err(Refusal::new(error));
            }
        }
        Ok(())
    }
}

impl Plugin for Planner {
    fn events(&self) -> EventSet {
        EventSet::of(&[
            Event::RunPodSandbox,
            Event::StopPodSandbox,
            Event::RemovePodSandbox,
            Event::CreateContainer,
        ])
    }

    async fn run_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
        Self::take(&pod)
    }

    async fn create_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Creation, Refusal> {
        assert!(!container.id.is_empty(), "a container with no id reached the plugin");
        Self::take(&pod).map(|()| Creation::default())
    }
}

/// Sends them and goes away; the session ends, and says why.
pub fn read(data: &[u8]) {
    RUNTIME.with(|runtime| {
        let made = || Builder::new_current_thread().enable_time().build().unwrap();
        runtime.get_or_init(made).block_on(session(data));
    });
}

async fn session(data: &[u8]) {
    let (ours, mut theirs) = duplex(ROOM);
    let identity = Identity::new("vfhook", "10").unwrap();
    let launch = Launch::External { socket: "/nowhere".into() };
    let session = tokio::spawn(Session::new(identity, launch, Planner).run_over(ours));
    theirs.write_all(data).await.unwrap();
    tokio::task::yield_now().await;
    drop(theirs);
    let ended = timeout(PATIENCE, session).await.expect("the session hangs").expect("it panicked");
    let lost = ended.expect_err("nobody told it to stop");
    let known = matches!(
        lost,
        Lost::Closed { .. } | Lost::Protocol(_) | Lost::Register { .. } | Lost::Answer { .. }
    );
    assert!(known, "{lost:?}");
    // These go to the log as they are.
    let mut cause: Option<&dyn Error> = Some(&lost);
    while let Some(error) = cause {
        assert_line(&error.to_string());
        cause = error.source();
    }
}
