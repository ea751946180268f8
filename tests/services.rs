//! Services that become backends: what is looked at, what is told, and what no lease accounts for. On a machine in memory.
#![cfg(test)]

mod support;

use support::{
    host::BLUE,
    shape,
    stage::{Stage, event, in_time, on_tmpfs},
};
use vfhook::{
    kernel::fake::Translations,
    lease::LeaseStore,
    operation::{self, Context, Finding, Mended, Retry, Turn},
    types::{Conversation, Outside, Protocol},
};

fn stage() -> Stage {
    Stage::of(&shape::named("service_path_both"))
}

fn reconcile(stage: &Stage, context: &Context, dry_run: bool) -> Vec<Finding> {
    let mut kernel = stage.host.kernel();
    operation::reconcile(&mut kernel, context, |_| false, Retry::Now, dry_run, in_time()).unwrap()
}

fn translations(stage: &Stage) -> Translations {
    stage.host.with(|machine| machine.translation.clone())
}

#[test]
fn an_element_that_somebody_changed_is_seen_by_who_looks_at_everything() {
    let stage = stage();
    stage.attach([]).unwrap();
    assert_eq!(reconcile(&stage, &stage.context, false), []);
    stage.host.with(|machine| machine.translation.is_changed = true);
    // The look of every few seconds asks for one number.
    let (mut kernel, mut turn) = (stage.host.kernel(), Turn::default());
    let gone = |_: &_| false;
    let seen =
        operation::attend_next(&mut kernel, &stage.context, &mut turn, 9, gone, in_time()).unwrap();
    assert_eq!(seen, []);
    for (dry_run, outcome) in [(true, Mended::WouldApply), (false, Mended::Applied)] {
        let found = reconcile(&stage, &stage.context, dry_run);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].what.contains("services on storage"), "{found:?}");
        assert_eq!(found[0].outcome, outcome);
    }
    assert_eq!(reconcile(&stage, &stage.context, false), []);
}

/// A UDP socket that is connected to this.
fn with(backend: &str) -> Conversation {
    let local = "192.168.0.16:40000".parse().unwrap();
    Conversation { backend: backend.parse().unwrap(), local, device: 0, cookie: 7 }
}

fn connect(stage: &Stage, backends: &[&str]) {
    stage.host.with(|machine| {
        let at = machine.translation.at.values().next().unwrap();
        let cookie = *at.views.keys().next().unwrap();
        let all = backends.iter().map(|backend| with(backend)).collect();
        machine.translation.conversations.insert(cookie, all);
    });
}

fn connected(stage: &Stage) -> Vec<Conversation> {
    translations(stage).conversations.into_values().flatten().collect()
}

#[test]
fn udp_sockets_are_freed_of_whom_no_service_has() {
    let stage = stage();
    stage.attach([]).unwrap();
    let serving =
        translations(&stage).at.values().next().unwrap().services.values().next().cloned();
    let serving = serving.unwrap().into_iter().find(|one| one.protocol == Protocol::Udp);
    let backend = serving.unwrap().backends[0];
    let serving = format!("{}:{}", backend.address, backend.port);
    connect(&stage, &[&serving, "192.168.0.77:53"]);
    let mut kernel = stage.host.kernel();
    let told = operation::follow_services(&mut kernel, &stage.context, in_time()).unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].outcome, Mended::Applied);
    assert!(told[0].what.contains("1 UDP sockets") && told[0].what.ends_with("192.168.0.77:53"));
    assert_eq!(connected(&stage), [with(&serving)]);
    // Who looks at everything finds what somebody who died left; who only looks now and then does not look there.
    connect(&stage, &["192.168.0.77:53"]);
    let mut turn = Turn::default();
    let gone = |_: &_| false;
    let seen =
        operation::attend_next(&mut kernel, &stage.context, &mut turn, 9, gone, in_time()).unwrap();
    assert_eq!((seen, connected(&stage).len()), (Vec::new(), 1));
    assert_eq!(reconcile(&stage, &stage.context, true)[0].outcome, Mended::WouldApply);
    assert_eq!(connected(&stage).len(), 1);
    assert_eq!(reconcile(&stage, &stage.context, false)[0].outcome, Mended::Applied);
    assert_eq!(reconcile(&stage, &stage.context, false), []);
    // A kernel that ends none says so where there was one to end.
    stage.host.with(|machine| machine.translation.ends_none = true);
    assert_eq!(reconcile(&stage, &stage.context, false), []);
    connect(&stage, &["192.168.0.77:53"]);
    let found = reconcile(&stage, &stage.context, false);
    let Mended::Failed(why) = &found[0].outcome else { panic!("{found:?}") };
    assert!(why.contains("not ended here"), "{why}");
    assert_eq!(connected(&stage).len(), 1);
}

#[test]
fn what_no_lease_accounts_for_goes_and_what_one_does_stays() {
    let stage = stage();
    stage.attach([]).unwrap();
    let (whole, place) = (translations(&stage), on_tmpfs());
    // The state directory is lost.
    let leases = LeaseStore::open(&place.path().join("state")).unwrap();
    let context = Context { config: stage.context.config.clone(), leases };
    let found = reconcile(&stage, &context, true);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].outcome, Mended::WouldRelease);
    assert_eq!(translations(&stage), whole);
    assert_eq!(reconcile(&stage, &context, false)[0].outcome, Mended::Released);
    assert!(translations(&stage).at.is_empty());
    assert_eq!(reconcile(&stage, &context, false), []);
    // One that nobody has, beside one that somebody has.
    reconcile(&stage, &stage.context, false);
    stage.host.with(|machine| {
        let at = machine.translation.at.values_mut().next().unwrap();
        let view = *at.views.values().next().unwrap();
        at.views.insert(4711, view);
    });
    assert_eq!(reconcile(&stage, &stage.context, false)[0].outcome, Mended::Released);
    assert_eq!(translations(&stage), whole);
    stage.detach([]).unwrap();
    stage.assert_untouched("after the end");
}

#[test]
fn what_the_host_cannot_do_is_told_and_done_by_the_pair() {
    let stage = stage();
    stage.host.with(|machine| machine.translation.hindrance = Some("no bpffs".to_owned()));
    stage.attach([]).unwrap();
    let lease = stage.leases().remove(0);
    assert_eq!(lease.outside.as_deref(), Some("no bpffs"));
    assert!(lease.plan.view().is_none() && lease.service_interface.is_some());
    let status = operation::status(&mut stage.host.kernel(), &stage.context).unwrap();
    assert!(status.views.is_empty() && status.attention.is_empty(), "{status:?}");
    stage.detach([]).unwrap();
    // Without a pair it is tried, and fails in its own words where it does.
    let stage = Stage::of(&shape::named("service_path_inside"));
    stage.host.with(|machine| machine.translation.hindrance = Some("no bpffs".to_owned()));
    stage.attach([]).unwrap();
    assert!(stage.leases()[0].plan.view().is_some());
}

#[test]
fn who_is_told_of_as_another_stack_has_no_services_inside() {
    for name in ["service_path_both", "service_path_inside"] {
        let stage = Stage::of(&shape::named(name));
        let mut event = event("blue", BLUE, &stage.requests);
        event.outside = Outside::of_handler("kata");
        let mut kernel = stage.host.kernel();
        operation::attach(&mut kernel, &stage.context, &event, in_time()).unwrap();
        let lease = stage.leases().remove(0);
        assert!(lease.plan.view().is_none(), "{name}");
        assert!(lease.outside.unwrap().contains("\"kata\""), "{name}");
    }
}

#[test]
fn status_tells_what_becomes_of_services_and_for_whom() {
    let stage = stage();
    stage.attach([]).unwrap();
    let status = operation::status(&mut stage.host.kernel(), &stage.context).unwrap();
    let [view] = &status.views[..] else { panic!("{:?}", status.views) };
    assert!(view.reach.contains("storage (192.168.0.0/24)"), "{}", view.reach);
    assert_eq!(view.sandboxes, ["blue".parse().unwrap()]);
    assert!(!view.services.is_empty());
    assert!(view.services.iter().all(|service| service.to_string() != "10.97.0.99:80/tcp"));
}
