//! What comes of answers that are late, of too much to tell at once, and of runtimes that go and come.

use std::time::Duration;

use containerd_nri::{Event, FailurePolicy};
use serde_json::{Value, json};

use crate::probe::{Plugged, Probe};
use crate::runtime::{Runtime, VERSIONS, since, with_each};

/// The crate answers in time for a handler that does not, and the plugin stays.
#[test]
fn a_slow_handler_is_answered_for() {
    with_each(VERSIONS, |version| {
        let mut runtime = Runtime::of(version);
        runtime.start(1, 0, &Value::Null);
        let probe = Probe::of(&[Event::RunPodSandbox, Event::StopPodSandbox]);
        probe.wishes(|wish| wish.sleeps = Some(Event::RunPodSandbox));
        let plugged = Plugged::dialing(&runtime.socket, probe);
        runtime.synchronized();
        let late = runtime.call("RunPodSandbox", "p");
        let (error, took) = (late["error"].as_str().unwrap(), late["took_ms"].as_u64().unwrap());
        assert!(error.contains("RunPodSandbox takes longer than"), "{version}: {error}");
        assert!((500..950).contains(&took), "{version}: {took} ms");
        assert_eq!(runtime.call("StopPodSandbox", "p")["error"], "", "{version}");
        assert_eq!(plugged.probe.last().event, Some(Event::StopPodSandbox), "{version}: it stays");
    });
}

/// Without any answer the runtime goes on as if the plugin had agreed, and drops it; it comes back by itself. Where the
/// policy is known, the runtime does as the plugin asked.
#[test]
fn no_answer_is_taken_for_a_yes_unless_the_policy_says_no() {
    with_each(VERSIONS, |version| {
        let mut runtime = Runtime::of(version);
        runtime.start(1, 0, &Value::Null);
        let probe = Probe::of(&[Event::RunPodSandbox]);
        probe.wishes(|wish| {
            (wish.sleeps, wish.stalls) = (Some(Event::RunPodSandbox), true);
            wish.policy = FailurePolicy::CLOSED;
        });
        let plugged = Plugged::dialing(&runtime.socket, probe);
        runtime.synchronized();
        let unanswered = runtime.call("RunPodSandbox", "p");
        let (error, took) =
            (unanswered["error"].as_str().unwrap(), unanswered["took_ms"].as_u64().unwrap());
        assert!((950..1400).contains(&took), "{version}: {took} ms");
        let is_honored = since(version, (12, 4));
        assert_eq!(error.is_empty(), !is_honored, "{version}: {error}");
        plugged.probe.wishes(|wish| (wish.sleeps, wish.stalls) = (None, false));
        // A thread of the plugin's is still held up.
        std::thread::sleep(Duration::from_millis(800));
        if !is_honored {
            assert!(plugged.lost().contains("Closed"), "{version}");
            assert_eq!(runtime.synchronized()["error"], "", "{version}: it comes back");
        }
        let heard = plugged.probe.told.lock().unwrap().len();
        assert_eq!(runtime.call("RunPodSandbox", "again")["error"], "", "{version}");
        assert_eq!(plugged.probe.told.lock().unwrap().len(), heard + 1, "{version}");
    });
}

/// A runtime that claims a version with events that its runtime side does not know lets nobody in who believes it.
#[test]
fn an_unknown_event_is_not_forgiven() {
    with_each(VERSIONS.into_iter().filter(|version| !since(version, (10, 0))), |version| {
        let mut runtime = Runtime::of(version);
        runtime.start(1, 0, &json!({"name": "containerd", "version": "v2.2.0"}));
        let plugged = Plugged::dialing(&runtime.socket, Probe::of(Event::ALL));
        assert_eq!(plugged.lost(), "Closed { during: Synchronizing }", "{version}");
    });
}

/// What does not fit into one message comes in parts since 0.7; before, the plugin is not let in.
#[test]
fn much_to_tell_comes_in_parts() {
    with_each(VERSIONS, |version| {
        let mut runtime = Runtime::of(version);
        runtime.start(3000, 1000, &Value::Null);
        let plugged = Plugged::dialing(&runtime.socket, Probe::of(&[Event::RunPodSandbox]));
        let told = runtime.synchronized();
        let error = told["error"].as_str().unwrap();
        assert_eq!(error.is_empty(), since(version, (7, 0)), "{version}: {error}");
        if error.is_empty() {
            plugged.serves();
            assert_eq!(*plugged.probe.synchronized.lock().unwrap(), [(3000, 3000)], "{version}");
        }
    });
}

/// A runtime that is gone and comes back finds the plugin again, with what it missed told anew; updates that fail are told.
#[test]
fn a_runtime_comes_back() {
    with_each(VERSIONS, |version| {
        let mut runtime = Runtime::of(version);
        runtime.start(1, 0, &Value::Null);
        let plugged = Plugged::dialing(&runtime.socket, Probe::of(&[Event::RunPodSandbox]));
        runtime.synchronized();
        plugged.serves();
        runtime.dies_and_another_starts();
        assert!(plugged.lost().contains("Closed"), "{version}");
        runtime.start(2, 0, &json!({"failing": true}));
        assert_eq!(runtime.synchronized()["error"], "", "{version}");
        plugged.serves();
        assert_eq!(*plugged.probe.synchronized.lock().unwrap(), [(1, 1), (2, 2)], "{version}");
        let asked = plugged.handle.update_containers(vec![crate::probe::update("a")]);
        let failed = plugged.tokio.block_on(asked).unwrap();
        assert_eq!(failed, [crate::probe::update("a")], "{version}");
    });
}
