//! Random histories of a node: sandboxes come and go, join and leave, die, processes die in the middle, steps fail,
//! runtimes start anew, VFs vanish. What vfhook holds is what a small model says, nothing is given twice, and nobody
//! but the sandbox concerned notices; in the end the host is as it was.
//!
//! Other histories each time. A failure prints its own, made as short as can be, and `VFHOOK_SEED=NUMBER`, with which the
//! test runs it again and few others.
#![cfg(test)]

mod support;

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestCaseError, TestRunner},
};
use support::{
    happening::{Event, any_event, happen},
    node::Node,
    seed,
};

/// How many events there are in all, unless `VFHOOK_EVENTS` says otherwise: `make model` asks for a million.
const EVENTS: usize = 10_000;

/// How many histories are drawn from one seed, and how long each may be.
const HISTORIES: u32 = 25;
const LONGEST: usize = 400;

/// To look at the whole node costs as much as an event: it is done after one in so many, and after the last.
const LOOK: usize = 8;

/// Lets it all happen; looks at the whole node after every `look` events.
fn live(events: &[Event], look: usize) -> Result<(), TestCaseError> {
    let mut node = Node::new();
    for (position, event) in events.iter().enumerate() {
        let when = |error: TestCaseError| {
            TestCaseError::fail(format!("event {position}, {event:?}: {error}"))
        };
        happen(&mut node, event).map_err(when)?;
        if position % look == look - 1 || position + 1 == events.len() {
            node.assert_sound().map_err(when)?;
        }
    }
    node.finish()
}

proptest! {
    #![proptest_config(seed::cases(60))]

    #[test]
    fn whatever_happens_nothing_is_given_twice_and_all_comes_back(
        events in proptest::collection::vec(any_event(), 1..40),
    ) {
        live(&events, 1)?;
    }
}

/// The histories of one seed; tells the first that is wrong, made as short as can be.
fn histories(seed: u64, lived: &AtomicUsize) -> Result<(), String> {
    let config = Config {
        cases: HISTORIES,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        // A shorter history is worth a minute.
        max_shrink_iters: u32::MAX,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let events = proptest::collection::vec(any_event(), 1..=LONGEST);
    let ran = TestRunner::new(config).run(&events, |events| {
        lived.fetch_add(events.len(), Relaxed);
        live(&events, LOOK)
    });
    ran.map_err(|error| format!("VFHOOK_SEED={seed} runs it again\n{error}"))
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn long_histories_of_another_seed_each_time() {
    let lived = AtomicUsize::new(0);
    if let Some(seed) = number("VFHOOK_SEED") {
        histories(seed, &lived).unwrap_or_else(|error| panic!("{error}"));
        return;
    }
    let events = number("VFHOOK_EVENTS").map_or(EVENTS, |events| usize::try_from(events).unwrap());
    let seed = AtomicU64::new(RandomState::new().build_hasher().finish());
    let wrong = Mutex::new(Vec::new());
    let live_on = || {
        while lived.load(Relaxed) < events && wrong.lock().unwrap().is_empty() {
            if let Err(error) = histories(seed.fetch_add(1, Relaxed), &lived) {
                wrong.lock().unwrap().push(error);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(live_on);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} events in histories of up to {LONGEST}", lived.into_inner());
}
