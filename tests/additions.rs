//! A sandbox that runs is given one network more and one is taken: every fault and every death of that, on the in-memory kernel. What it
//! began with stays, whatever becomes of what is added.
#![cfg(test)]

mod support;

use support::{
    crash::survive,
    host::{BLUE, parse},
    shape,
    stage::{Stage, in_time},
};
use vfhook::{
    kernel::fake::{Effect, Fault, Snapshot},
    lease::LeaseState,
    operation::{
        self, AttachReport, Detached, ExitCode, How, Mended, OperationError, Retry, Which,
    },
    request::NetworkRequest,
    types::NetnsSource,
};

fn stage() -> (Stage, Snapshot) {
    let mut stage = Stage::of(&shape::everything());
    let mut more = stage.context.config.networks[&parse("storage")].clone();
    more.interface = parse("more%d");
    (more.default_route, more.gateway) = (false, Vec::new());
    stage.context.config.networks.insert(parse("more"), more);
    stage.attach([]).unwrap();
    let attached = stage.host.snapshot();
    (stage, attached)
}

fn asked(text: &str) -> NetworkRequest {
    text.parse().unwrap()
}

fn netns() -> NetnsSource {
    NetnsSource::Path(BLUE.into())
}

fn add(
    stage: &Stage,
    what: &str,
    faults: impl IntoIterator<Item = Fault>,
) -> Result<AttachReport, OperationError> {
    let mut kernel = stage.host.kernel_with(faults);
    operation::add(&mut kernel, &stage.context, &netns(), &asked(what), in_time())
}

fn take(
    stage: &Stage,
    what: &str,
    faults: impl IntoIterator<Item = Fault>,
) -> Result<Detached, OperationError> {
    let mut kernel = stage.host.kernel_with(faults);
    let which = Which::Id(parse("blue"));
    operation::take(&mut kernel, &stage.context, &which, &asked(what), in_time())
}

fn reconcile(stage: &Stage) {
    let mut kernel = stage.host.kernel();
    let (context, now) = (&stage.context, Retry::Now);
    let found = operation::reconcile(&mut kernel, context, |_| false, now, false, in_time());
    assert!(!found.unwrap().iter().any(|finding| matches!(finding.outcome, Mended::Failed(_))));
}

/// What the sandbox began with is there, and nothing else.
#[track_caller]
fn only_the_first(stage: &Stage, attached: &Snapshot, when: &str) {
    let changes = attached.changes(&stage.host.snapshot());
    assert!(changes.is_empty(), "{when}:\n{}", changes.join("\n"));
    let leases = stage.leases();
    assert_eq!(leases.len(), 1, "{when}");
    assert_eq!(leases[0].state, LeaseState::Attached, "{when}");
}

#[test]
fn one_more_comes_and_goes_and_what_was_there_stays() {
    let (stage, attached) = stage();
    let report = add(&stage, "more", []).unwrap();
    assert_eq!((report.id.as_str(), report.how), ("blue.more1", How::Attached));
    assert_eq!(add(&stage, "more", []).unwrap().how, How::Already, "asked for again");
    let second = add(&stage, "more@other", []).unwrap();
    assert_eq!((second.id.as_str(), second.how), ("blue.other", How::Attached));
    assert_ne!(report.networks[0].device, second.networks[0].device);
    // The sandbox's containers ask for what it began with.
    assert_eq!(stage.attach([]).unwrap().how, How::Already);
    let which = take(&stage, "more", []).unwrap_err();
    assert_eq!(which.exit_code(), ExitCode::Usage);
    assert!(which.to_string().contains("more@more1, more@other"), "{which}");
    assert_eq!(take(&stage, "more@more1", []).unwrap(), Detached::Detached);
    assert_eq!(take(&stage, "more@more1", []).unwrap(), Detached::Unknown);
    assert_eq!(take(&stage, "more", []).unwrap(), Detached::Detached);
    only_the_first(&stage, &attached, "taken");
    stage.detach([]).unwrap();
    stage.assert_untouched("detached");
}

#[test]
fn what_was_added_goes_with_the_sandbox() {
    for ended in [false, true] {
        let (stage, _) = stage();
        add(&stage, "more", []).unwrap();
        add(&stage, "more@other", []).unwrap();
        if ended {
            let cookie = stage.leases()[0].netns.cookie;
            stage.host.with(|machine| machine.end_sandbox(cookie));
        }
        stage.detach([]).unwrap();
        stage.assert_host_untouched(&format!("ended: {ended}"));
    }
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let (stage, attached) = stage();
    for (what, code, says) in [
        ("nothing", ExitCode::Usage, "nothing"),
        ("more@eth0", ExitCode::Usage, "eth0"),
        ("storage", ExitCode::Usage, "exists in the sandbox already"),
    ] {
        let refused = add(&stage, what, []).unwrap_err();
        assert_eq!(refused.exit_code(), code, "{refused}");
        assert!(refused.to_string().contains(says), "{refused}");
        only_the_first(&stage, &attached, what);
        assert!(stage.leases()[0].additions.is_empty(), "{what}");
    }
    let began = take(&stage, "storage", []).unwrap_err();
    assert!(began.to_string().contains("began with storage"), "{began}");
    assert_eq!(take(&stage, "more", []).unwrap(), Detached::Unknown);
    stage.detach([]).unwrap();
    let nothing = add(&stage, "more", []).unwrap_err();
    assert!(nothing.to_string().contains("without --add"), "{nothing}");
    stage.assert_untouched("nothing to add to");
}

#[test]
fn the_name_of_what_a_program_drives_is_given_once() {
    let stage = Stage::of(&shape::named("vfio"));
    let name = stage.attach([]).unwrap().networks[0].interface.clone();
    let refused = add(&stage, &format!("data@{name}"), []).unwrap_err();
    assert_eq!(refused.exit_code(), ExitCode::Usage, "{refused}");
    assert!(refused.to_string().contains("exists in the sandbox already"), "{refused}");
    assert_ne!(add(&stage, "data", []).unwrap().networks[0].interface, name);
    stage.detach([]).unwrap();
    stage.assert_untouched("detached");
}

/// How many steps adding has, and taking.
fn steps() -> (usize, usize) {
    let (stage, _) = stage();
    add(&stage, "more", []).unwrap();
    let added = stage.leases().into_iter().find(|lease| lease.added_to.is_some()).unwrap();
    (added.plan.steps().len(), added.plan.undo_of(added.plan.steps().len()).len())
}

#[test]
fn a_step_that_fails_leaves_what_was_there() {
    for step in 1..=steps().0 {
        let (stage, attached) = stage();
        let fault = Fault::at(step, Effect::Refuse(nix::errno::Errno::EBUSY));
        add(&stage, "more", [fault]).unwrap_err();
        only_the_first(&stage, &attached, &format!("step {step}"));
        assert!(stage.leases()[0].additions.is_empty(), "step {step}");
        add(&stage, "more", []).unwrap();
        stage.detach([]).unwrap();
        stage.assert_untouched(&format!("step {step}"));
    }
}

fn deaths(steps: usize) -> impl Iterator<Item = Fault> {
    let before = (1..=steps).map(|step| Fault::at(step, Effect::DieBefore));
    before.chain([Fault::at(steps, Effect::DieAfterwards)])
}

#[test]
fn whoever_comes_after_a_death_sets_it_right() {
    let (adding, taking) = steps();
    let of_adding = deaths(adding).map(|death| (true, death));
    for (adds, death) in of_adding.chain(deaths(taking).map(|death| (false, death))) {
        for next in ["the same", "reconcile", "take", "detach", "end"] {
            let (stage, attached) = stage();
            let when = format!("adding: {adds}, {death:?}, {next}");
            let died = if adds {
                survive(|| add(&stage, "more", [death.clone()]).is_ok())
            } else {
                add(&stage, "more", []).unwrap();
                survive(|| take(&stage, "more", [death.clone()]).is_ok())
            };
            assert!(died.is_none(), "{when}");
            match next {
                "the same" => {
                    assert_eq!(add(&stage, "more", []).unwrap().how, How::Attached, "{when}");
                    take(&stage, "more", []).unwrap();
                    only_the_first(&stage, &attached, &when);
                }
                "reconcile" => {
                    reconcile(&stage);
                    only_the_first(&stage, &attached, &when);
                }
                "take" => {
                    take(&stage, "more", []).unwrap();
                    only_the_first(&stage, &attached, &when);
                }
                "end" => {
                    let cookie = stage.leases()[0].netns.cookie;
                    stage.host.with(|machine| machine.end_sandbox(cookie));
                    reconcile(&stage);
                    stage.assert_host_untouched(&when);
                    continue;
                }
                _ => {}
            }
            stage.detach([]).unwrap();
            stage.assert_untouched(&when);
        }
    }
}
