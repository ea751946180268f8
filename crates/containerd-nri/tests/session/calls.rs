//! What a handler is told of its call, plugins behind pointers, and connections from elsewhere.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use containerd_nri::fake::{NriVersion, Outcome, Peer};
use containerd_nri::{
    AnyPlugin, Call, Event, EventSet, Identity, Launch, Lost, Plugin, PodSandbox, Refusal, Session,
    State,
};
use protobuf::Message;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use ttrpc::Request;
use ttrpc::proto::KeyValue;

use crate::bad_input::request;
use crate::recorder::{Recorder, container, patient, pod, session, within};

/// Keeps the calls it gets.
#[derive(Clone, Default)]
struct Keeper {
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Plugin for Keeper {
    fn events(&self) -> EventSet {
        EventSet::from(Event::RunPodSandbox)
    }

    async fn run_pod_sandbox(&self, call: &Call, _: PodSandbox) -> Result<(), Refusal> {
        self.calls.lock().unwrap().push(call.clone());
        Ok(())
    }
}

fn launch() -> Launch {
    Launch::External { socket: "/nowhere".into() }
}

#[tokio::test]
async fn a_handler_is_told_of_its_call() {
    let keeper = Keeper::default();
    let (ours, theirs) = duplex(1 << 16);
    let identity = Identity::new("keeper", "10").unwrap();
    tokio::spawn(Session::new(identity, launch(), keeper.clone()).run_over(ours));
    let mut peer = Peer::over(theirs, patient(NriVersion::V0_12));
    within(peer.introduce(&[], &[])).await.unwrap();
    let mut call = Request::new();
    "nri.pkg.api.v1alpha1.Plugin".clone_into(&mut call.service);
    "RunPodSandbox".clone_into(&mut call.method);
    call.timeout_nano = 7_000_000_000;
    call.payload = vec![0x0a, 3, 0x0a, 1, b'p'];
    let said =
        KeyValue { key: "traceparent".to_owned(), value: "00-1".to_owned(), ..KeyValue::default() };
    call.metadata.push(said);
    peer.send_raw(&request(&call.write_to_bytes().unwrap())).await;
    assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod("q")).await, Outcome::Answered(()));
    within(async {
        while keeper.calls.lock().unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let calls = keeper.calls.lock().unwrap();
    let call = calls.iter().find(|call| call.metadata().next().is_some()).unwrap();
    assert!(call.metadata().eq([("traceparent", "00-1")]));
    assert_eq!(call.work().to_string(), "RunPodSandbox of pod p");
    assert_eq!(call.patience(), Duration::from_secs(7));
    assert_eq!(call.budget().time(), Duration::from_millis(4900));
    assert_eq!(call.runtime().unwrap().version.to_string(), "v2.3.4");
    let other = calls.iter().find(|call| call.metadata().next().is_none()).unwrap();
    assert!(other.time_left() > Duration::ZERO && other.deadline() > call.deadline());
}

#[tokio::test]
async fn plugins_behind_pointers_are_plugins() {
    let recorder = Recorder::of(&[Event::RunPodSandbox, Event::CreateContainer]);
    let pointers: [AnyPlugin; 3] = [
        AnyPlugin::new(recorder.clone()),
        AnyPlugin::new(Arc::new(recorder.clone())),
        AnyPlugin::new(Box::new(AnyPlugin::new(recorder.clone()))),
    ];
    for plugin in pointers {
        let (ours, theirs) = duplex(1 << 16);
        let identity = Identity::new("any", "10").unwrap();
        tokio::spawn(Session::new(identity, launch(), plugin).run_over(ours));
        let mut peer = Peer::over(theirs, patient(NriVersion::V0_12));
        within(peer.introduce(&[], &[])).await.unwrap();
        assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod("p")).await, Outcome::Answered(()));
        let created = peer.create_container(&pod("p"), &container("c")).await.answer();
        assert_eq!(created.unwrap().adjustment.env["SEEN"], "p");
    }
    let seen = recorder.seen();
    let each = [
        "Configure containerd",
        "Synchronize 0 0",
        "RunPodSandbox p 10.0.0.7",
        "CreateContainer p c",
    ];
    assert!(seen.iter().eq(each.iter().cycle().take(12)), "{seen:?}");
}

/// Connections out of a queue; where there is none, dialling fails.
fn dialer(
    mut queue: mpsc::UnboundedReceiver<DuplexStream>,
) -> impl FnMut() -> std::future::Ready<io::Result<DuplexStream>> + Send {
    move || std::future::ready(queue.try_recv().map_err(|_| io::Error::other("none is left")))
}

#[tokio::test]
async fn a_dialer_of_ones_own_is_asked_again_and_again() {
    let (give, queue) = mpsc::unbounded_channel();
    let session = session(Recorder::of(&[Event::RunPodSandbox]), launch());
    let handle = session.handle();
    let running = tokio::spawn(session.run_dialing(dialer(queue)));
    let mut states = handle.watch();
    for _ in 0..2 {
        let failed = |state: &State| match state {
            State::Lost { cause, .. } => matches!(**cause, Lost::Dialer { .. }),
            _ => false,
        };
        within(states.wait_for(failed)).await.unwrap();
        let (ours, theirs) = duplex(1 << 16);
        give.send(ours).unwrap();
        let mut peer = Peer::over(theirs, patient(NriVersion::V0_8));
        within(peer.introduce(&[], &[])).await.unwrap();
        assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod("p")).await, Outcome::Answered(()));
    }
    handle.stop();
    within(running).await.unwrap().unwrap();
}
