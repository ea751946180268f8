//! How long somebody waits for what is given back: who takes it back only until devices are home, and who needs it until it is free.
#![cfg(test)]

mod support;

use std::{thread, time::Duration};

use support::{
    host::parse,
    shape,
    stage::{Stage, in_time},
};
use vfhook::{
    lease::{Claim, LeaseState, Reservation},
    operation::{self, Detached, OperationError, Which},
};

const RED: &str = "/run/netns/red";

/// A stage with another sandbox, on a card with one VF that `blue` has.
fn full() -> Stage {
    let stage = Stage::of(&shape::everything());
    stage.host.with(|machine| {
        machine.add_sandbox(RED);
        machine.set_num_vfs(parse(support::host::CARD), 0).unwrap();
        machine.set_num_vfs(parse(support::host::CARD), 1).unwrap();
    });
    stage.attach([]).unwrap();
    stage
}

fn second(stage: &Stage) -> Result<operation::AttachReport, OperationError> {
    stage.attach_to("red", RED, [], in_time())
}

#[test]
fn nobody_waits_for_links_that_only_remain_to_be_deleted() {
    let stage = Stage::of(&shape::everything());
    stage.attach([]).unwrap();
    let pair = |stage: &Stage| {
        let shown = stage.host.with(|machine| machine.host.link("ens1f0v0").is_some());
        let claimed = stage.context.leases.is_taken(&Claim::Id(parse("blue")));
        let seen = format!("{:?}", stage.host.snapshot());
        (shown, claimed, seen.contains("vfh"))
    };
    assert_eq!(pair(&stage), (false, true, true));
    let mut told = Vec::new();
    let which = Which::Id(parse("blue"));
    let done = operation::detach_telling(
        &mut stage.host.kernel(),
        &stage.context,
        &which,
        in_time(),
        || told.push(pair(&stage)),
    );
    assert_eq!(done.unwrap(), Detached::Detached);
    assert_eq!(told, [(true, true, true)]);
    stage.assert_untouched("taken back");
}

#[test]
fn who_finds_nothing_free_waits_for_what_is_being_taken_back() {
    let stage = full();
    let held = Claim::Id(parse("blue"));
    let mut reservation: Reservation =
        stage.context.leases.reserve_existing(&held, in_time()).unwrap().unwrap();
    // Somebody works on it, but takes nothing back.
    assert!(matches!(second(&stage), Err(OperationError::NoFreeDevice { .. })));
    reservation.lease.state = LeaseState::Releasing;
    stage.context.leases.update(&reservation.lease).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| second(&stage));
        thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(reservation);
        // Nobody works on it any longer: that is like a process that died, and whoever comes next takes it back.
        stage.detach([]).unwrap();
        drop(waiting.join().unwrap());
    });
    second(&stage).unwrap();
}
