//! Sandboxes that a daemon came too late for: who ends while they are looked after is told of no more.
#![cfg(test)]

mod support;

use std::{cell::Cell, path::Path};

use support::{
    host::{CARD, parse},
    shape,
    stage::{Stage, event, in_time},
};
use vfhook::{
    lease::Lease,
    operation::{self, Listed, Retry, Turn},
    types::SandboxId,
};

const RED: &str = "/run/netns/red";

/// A stage where `blue` has the only VF, and `red`, which the runtime lists, ends as soon as somebody looks for `trigger`.
fn after_red_was_listed(trigger: &'static str) -> Stage {
    after_red_was_listed_as(trigger, |_| true)
}

/// The same with a runtime that has, or has no more, what it listed.
fn after_red_was_listed_as(trigger: &'static str, is_there: impl Fn(&SandboxId) -> bool) -> Stage {
    let stage = Stage::of(&shape::everything());
    let red = stage.host.with(|machine| {
        machine.set_num_vfs(parse(CARD), 0).unwrap();
        machine.set_num_vfs(parse(CARD), 1).unwrap();
        machine.add_sandbox(RED)
    });
    stage.attach([]).unwrap();
    let host = stage.host.clone();
    let watched = stage.host.watched(move |look| {
        if look == trigger {
            host.with(|machine| machine.end_sandbox(red));
        }
    });
    let listed = [Listed { event: event("red", RED, &stage.requests), runs: false }];
    operation::catch_up(&mut watched.kernel(), &stage.context, &listed, is_there, in_time())
        .unwrap();
    stage
}

fn is_recorded(stage: &Stage) -> bool {
    Path::exists(&stage.state_dir().join("missed"))
}

#[test]
fn one_that_found_nothing_free_is_written_down_until_it_ends() {
    let stage = after_red_was_listed("nothing");
    assert_eq!(stage.context.leases.missed().unwrap().len(), 1);
    operation::forget_missed(&stage.context, &parse("blue"), in_time()).unwrap();
    assert!(is_recorded(&stage));
    operation::forget_missed(&stage.context, &parse("red"), in_time()).unwrap();
    assert!(!is_recorded(&stage));
}

#[test]
fn one_whose_end_nobody_tells_is_forgotten_by_the_next_look() {
    for in_turn in [true, false] {
        let stage = after_red_was_listed("nothing");
        let look = || {
            let (mut kernel, context) = (stage.host.kernel(), &stage.context);
            let gone = |_: &Lease| false;
            if in_turn {
                let mut turn = Turn::default();
                operation::attend_next(&mut kernel, context, &mut turn, 9, gone, in_time())
            } else {
                operation::reconcile(&mut kernel, context, gone, Retry::Now, false, in_time())
            }
        };
        look().unwrap();
        assert!(is_recorded(&stage));
        let red = stage.context.leases.missed().unwrap()[0].netns.cookie;
        stage.host.with(|machine| machine.end_sandbox(red));
        look().unwrap();
        assert!(!is_recorded(&stage));
    }
}

#[test]
fn one_that_ends_before_it_is_written_down_is_forgotten() {
    assert!(!is_recorded(&after_red_was_listed("physical_functions")));
}

#[test]
fn one_that_was_stopped_is_forgotten_though_its_namespace_lives_on() {
    // Stopped before it is looked at, and after: the runtime has it at the first question alone.
    assert!(!is_recorded(&after_red_was_listed_as("nothing", |_| false)));
    let asked = Cell::new(0);
    let at_first = |_: &SandboxId| {
        asked.set(asked.get() + 1);
        asked.get() == 1
    };
    assert!(!is_recorded(&after_red_was_listed_as("nothing", at_first)));
    assert_eq!(asked.get(), 2);
}
