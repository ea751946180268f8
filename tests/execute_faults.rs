//! Every step of every shape of plan fails, before and after its effect, runs out of time, and cannot be undone.
//! The host is as before, or the lease says what remains and a later detach finishes.
#![cfg(test)]

mod support;

use std::{thread, time::Duration};

use nix::errno::Errno;
use support::{
    host::BLUE,
    shape::{self, Shape},
    stage::{Stage, in_time},
};
use vfhook::{
    execute::{self, Outcome},
    kernel::{
        Kernel as _,
        fake::{Effect, Fault, Machine},
    },
    lease::LeaseState,
    operation::{self, Detached, ExitCode, Mended, OperationError, Retry},
    plan::step::Step,
    types::Deadline,
};

/// What rtnetlink, `nf_tables`, drivers of cards, setns and files below /proc and /sys answer with, as their sources have it.
const ERRNOS: [Errno; 20] = [
    Errno::EPERM,
    Errno::ENOENT,
    Errno::ESRCH,
    Errno::EINTR,
    Errno::EIO,
    Errno::ENXIO,
    Errno::EAGAIN,
    Errno::ENOMEM,
    Errno::EACCES,
    Errno::EBUSY,
    Errno::EEXIST,
    Errno::ENODEV,
    Errno::EINVAL,
    Errno::EMFILE,
    Errno::ENOSPC,
    Errno::ERANGE,
    Errno::EOPNOTSUPP,
    Errno::EADDRNOTAVAIL,
    Errno::ENETUNREACH,
    Errno::ENOBUFS,
];

/// How many steps the plan of a shape has.
fn steps_of(shape: &Shape) -> usize {
    let stage = Stage::of(shape);
    stage.attach([]).unwrap_or_else(|error| panic!("{}: {}", shape.name, chain(&error)));
    stage.leases()[0].plan.steps().len()
}

fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[test]
fn every_shape_attaches_and_detaches_without_a_trace() {
    for shape in shape::all() {
        let stage = Stage::of(&shape);
        stage.attach([]).unwrap_or_else(|error| panic!("{}: {}", shape.name, chain(&error)));
        assert_ne!(stage.before, stage.host.snapshot(), "{}", shape.name);
        assert_eq!(stage.detach([]).unwrap(), Detached::Detached);
        stage.assert_untouched(shape.name);
        assert_eq!(stage.detach([]).unwrap(), Detached::Unknown);
    }
}

#[test]
fn a_mac_that_the_driver_refused_is_not_claimed_to_be_there() {
    let had = |name: &str| {
        Stage::of(&shape::named(name)).attach([]).unwrap().networks[0]
            .mac
            .map(|mac| mac.to_string())
    };
    assert_eq!(had("best_effort_mac_refused"), None);
    assert_eq!(had("vf_set_up").as_deref(), Some("02:00:5e:00:53:01"));
}

#[test]
fn every_step_refused_before_or_after_its_effect_is_rolled_back() {
    for shape in shape::all() {
        for step in 1..=steps_of(&shape) {
            for errno in ERRNOS {
                for effect in [Effect::Refuse(errno), Effect::RefuseAfterwards(errno)] {
                    let when = format!("{} step {step} {effect:?}", shape.name);
                    let stage = Stage::of(&shape);
                    let error = stage.attach([Fault::at(step, effect)]).expect_err(&when);
                    assert_eq!(error.exit_code(), ExitCode::Failed, "{when}: {}", chain(&error));
                    let message = chain(&error);
                    assert!(message.contains(&format!("step {step},")), "{when}: {message}");
                    assert!(message.contains(errno.desc()), "{when}: {message}");
                    stage.assert_untouched(&when);
                }
            }
        }
    }
}

#[test]
fn a_rolled_back_attachment_can_be_tried_again() {
    for shape in shape::all() {
        let stage = Stage::of(&shape);
        let last = steps_of(&shape);
        stage.attach([Fault::at(last, Effect::RefuseAfterwards(Errno::EIO))]).unwrap_err();
        stage.attach([]).unwrap_or_else(|error| panic!("{}: {}", shape.name, chain(&error)));
        stage.detach([]).unwrap();
        stage.assert_untouched(shape.name);
    }
}

#[test]
fn every_step_repeated_is_as_if_done_once() {
    for shape in shape::all() {
        let stage = Stage::of(&shape);
        stage
            .attach([Fault::always(Effect::Repeat)])
            .unwrap_or_else(|error| panic!("{}: {}", shape.name, chain(&error)));
        stage
            .detach([Fault::always(Effect::Repeat)])
            .unwrap_or_else(|error| panic!("{}: {}", shape.name, chain(&error)));
        stage.assert_untouched(shape.name);
    }
}

/// Each case sleeps until its deadline, so they sleep side by side.
#[test]
fn time_that_runs_out_before_any_step_is_told_and_rolled_back() {
    thread::scope(|scope| {
        for shape in shape::all() {
            for step in 1..steps_of(&shape) {
                let shape = shape.clone();
                scope.spawn(move || out_of_time_after(&shape, step));
            }
        }
    });
}

fn out_of_time_after(shape: &Shape, step: usize) {
    let stage = Stage::of(shape);
    let deadline = Deadline::after(Duration::from_secs(2));
    let stalled = [Fault::at(step, Effect::Stall)];
    let error = stage.attach_to("blue", BLUE, stalled, deadline).unwrap_err();
    let message = chain(&error);
    let expected = format!("out of time before step {} of", step + 1);
    assert!(message.contains(&expected), "{} step {step}: {message}", shape.name);
    assert_eq!(error.exit_code(), ExitCode::Failed);
    stage.assert_untouched(&format!("{} out of time after step {step}", shape.name));
}

#[test]
fn a_deadline_that_has_passed_already_touches_nothing() {
    let stage = Stage::of(&shape::everything());
    let deadline = Deadline::after(Duration::ZERO);
    let error = stage.attach_to("blue", BLUE, [], deadline).unwrap_err();
    assert!(chain(&error).contains("out of time before step 1 of"), "{}", chain(&error));
    stage.assert_untouched("no time at all");
}

/// The undo steps of a whole plan, in the order in which they are done.
fn undos_of(shape: &Shape) -> Vec<Step> {
    let stage = Stage::of(shape);
    stage.attach([]).unwrap();
    let lease = stage.leases().remove(0);
    lease.plan.undo_of(lease.plan.steps().len())
}

#[test]
fn each_undo_that_fails_in_a_rollback_is_kept_and_done_by_a_later_detach() {
    for shape in shape::all() {
        let last = steps_of(&shape);
        for (position, undo) in undos_of(&shape).iter().enumerate() {
            let stage = Stage::of(&shape);
            // The undo of a fresh plan differs in its serial, so it is struck by its number.
            let faults = [
                Fault::at(last, Effect::RefuseAfterwards(Errno::EIO)),
                Fault::at(last + 1 + position, Effect::Refuse(Errno::EBUSY)),
            ];
            let when = format!("{} undo {position} {undo:?}", shape.name);
            let error = stage.attach(faults).expect_err(&when);
            if undo.is_sandboxs_own() {
                assert_eq!(error.exit_code(), ExitCode::Failed, "{when}: {}", chain(&error));
                stage.assert_host_untouched(&when);
                continue;
            }
            assert_remains(&stage, &error, position, &when);
            stage.detach([]).unwrap_or_else(|error| panic!("{when}: {}", chain(&error)));
            stage.assert_untouched(&when);
        }
    }
}

#[test]
fn each_undo_that_fails_in_a_detach_is_kept_and_done_by_the_next() {
    for shape in shape::all() {
        for (position, undo) in undos_of(&shape).iter().enumerate() {
            for effect in [Effect::Refuse(Errno::EBUSY), Effect::RefuseAfterwards(Errno::ETIMEDOUT)]
            {
                let stage = Stage::of(&shape);
                stage.attach([]).unwrap();
                let when = format!("{} undo {position} {effect:?} {undo:?}", shape.name);
                let detached = stage.detach([Fault::at(position + 1, effect)]);
                if undo.is_sandboxs_own() {
                    assert_eq!(detached.unwrap(), Detached::Detached, "{when}");
                    stage.assert_host_untouched(&when);
                    continue;
                }
                let error = detached.expect_err(&when);
                assert_remains(&stage, &error, position, &when);
                stage.detach([]).unwrap_or_else(|error| panic!("{when}: {}", chain(&error)));
                stage.assert_untouched(&when);
            }
        }
    }
}

#[test]
fn all_undos_failing_keeps_all_of_them_in_their_order() {
    for shape in shape::all() {
        let stage = Stage::of(&shape);
        let last = steps_of(&shape);
        let faults = [
            Fault::at(last, Effect::RefuseAfterwards(Errno::EIO)),
            Fault::from(last + 1, Effect::Refuse(Errno::EBUSY)),
        ];
        let error = stage.attach(faults).unwrap_err();
        let plan = stage.leases()[0].plan.clone();
        let all = plan.undo_of(plan.steps().len());
        assert_needs_cleanup(&stage, &error, all.len(), shape.name);
        let LeaseState::NeedsCleanup { remaining, .. } = stage.leases()[0].state.clone() else {
            panic!("{}", shape.name);
        };
        assert_eq!(remaining, all, "{}", shape.name);

        let error = stage.detach([Fault::always(Effect::Refuse(Errno::EBUSY))]).unwrap_err();
        assert_needs_cleanup(&stage, &error, all.len(), shape.name);
        stage.detach([]).unwrap();
        stage.assert_untouched(shape.name);
    }
}

#[test]
fn what_failed_waits_before_it_is_tried_again_unasked() {
    let stage = Stage::of(&shape::named("vf_plain"));
    stage.attach([]).unwrap();
    stage.detach([Fault::always(Effect::Refuse(Errno::EBUSY))]).unwrap_err();
    let reconcile = |retry| {
        let mut kernel = stage.host.kernel();
        operation::reconcile(&mut kernel, &stage.context, |_| false, retry, false, in_time())
            .unwrap()
    };
    assert_eq!(reconcile(Retry::InTime), []);
    assert_eq!(stage.leases().len(), 1);
    assert_eq!(reconcile(Retry::Now)[0].outcome, Mended::Released);
    stage.assert_untouched("asked for");
}

#[track_caller]
fn assert_needs_cleanup(stage: &Stage, error: &OperationError, left: usize, when: &str) {
    assert_eq!(error.exit_code(), ExitCode::NeedsCleanup, "{when}: {}", chain(error));
    let leases = stage.leases();
    let LeaseState::NeedsCleanup { remaining, failures, .. } = &leases[0].state else {
        panic!("{when}: {:?}", leases[0].state);
    };
    assert_eq!((remaining.len(), failures.len()), (left, left), "{when}: {failures:?}");
}

/// The undo at `position` remains, and with it only what cannot be done before it: the interface of a device that
/// is not back cannot be given its MAC.
#[track_caller]
fn assert_remains(stage: &Stage, error: &OperationError, position: usize, when: &str) {
    assert_eq!(error.exit_code(), ExitCode::NeedsCleanup, "{when}: {}", chain(error));
    let lease = stage.leases().remove(0);
    let LeaseState::NeedsCleanup { remaining, .. } = &lease.state else {
        panic!("{when}: {:?}", lease.state);
    };
    let all = lease.plan.undo_of(lease.plan.steps().len());
    assert_eq!(remaining.first(), all.get(position), "{when}");
    let returns = matches!(remaining[0], Step::ReturnDevice(_));
    let follows =
        |step: &Step| matches!(step, Step::ConfigureVf(step) if step.interface_mac.is_some());
    assert!(remaining[1..].iter().all(|step| returns && follows(step)), "{when}: {remaining:?}");
}

#[test]
fn the_masquerade_table_that_cannot_be_removed_is_kept_in_mind() {
    let stage = Stage::of(&shape::named("service_path_veth"));
    stage.attach([]).unwrap();
    let fault = Fault::on(&Step::RemoveMasquerade, Effect::Refuse(Errno::EBUSY));
    let error = stage.detach([fault]).unwrap_err();
    assert_needs_cleanup(&stage, &error, 1, "masquerade");
    stage.detach([]).unwrap();
    stage.assert_untouched("masquerade");
}

#[test]
fn a_namespace_that_ends_under_any_step_leaves_a_lease_that_detach_clears() {
    for shape in shape::all() {
        for step in 1..=steps_of(&shape) {
            let when = format!("{} ended before step {step}", shape.name);
            let stage = Stage::of(&shape);
            // The operation holds the namespace open, so it ends only after it.
            stage
                .attach([Fault::at(step, Effect::EndSandbox)])
                .unwrap_or_else(|error| panic!("{when}: {}", chain(&error)));
            stage.detach([]).unwrap_or_else(|error| panic!("{when}: {}", chain(&error)));
            stage.assert_host_untouched(&when);
        }
    }
}

/// The kernel refuses a name that is taken; undoing that step must not take the other link away.
#[test]
fn a_link_that_was_faster_than_ours_survives_the_rollback() {
    let stage = Stage::of(&shape::named("macvlan"));
    stage.attach([]).unwrap();
    let lease = stage.leases().remove(0);
    stage.detach([]).unwrap();
    let (cookie, name) = (lease.netns.cookie, lease.networks[0].interface.clone());
    let sandbox = |machine: &mut Machine| {
        machine.sandbox(cookie).expect("it lives").add_link(&name, []);
    };
    stage.host.with(sandbox);
    let theirs = stage.host.snapshot();
    let mut kernel = stage.host.kernel_with([]);
    kernel.open_sandbox(&lease.netns.source).unwrap();
    let outcome = execute::run(&lease.plan, &mut kernel, in_time());
    let Outcome::Failed { undone, .. } = outcome else { panic!("{outcome:?}") };
    assert!(undone.is_clean(), "{undone:?}");
    assert_eq!(stage.host.snapshot(), theirs);
}
