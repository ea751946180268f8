//! A sandbox that has a lease is asked what it has, and the configuration is not: its containers restart whatever became of their
//! networks meanwhile, and none is told yes that asks for something else.
#![cfg(test)]

mod support;

use support::{
    host::{BLUE, parse},
    shape::{self, Shape},
    stage::{Stage, event, in_time},
};
use vfhook::{
    config::{self, Config},
    kernel::Kernel,
    operation::{self, ExitCode, How, OperationError},
    plan::{self, step::Step},
    request::{self, SandboxEvent},
};

/// The network `storage` with another interface, of another pool, and for others.
const ELSEWHERE: &str = r#"version = 1
[[pool]]
name = "shared"
kind = "macvlan"
pf = ["lan0"]
[[network]]
name = "storage"
pool = "shared"
interface = "net9"
addresses = ["10.0.0.16-10.0.0.250/24"]
allow = { namespaces = ["somebody-else"] }
"#;

/// One more container of the sandbox asks by this annotation.
fn asks(annotation: &str) -> SandboxEvent {
    event("second", BLUE, &request::networks(annotation).unwrap())
}

fn attach(stage: &Stage, event: &SandboxEvent) -> Result<How, OperationError> {
    let done = operation::attach(&mut stage.host.kernel(), &stage.context, event, in_time());
    done.map(|report| report.how)
}

#[test]
fn whatever_was_given_is_still_there_when_the_configuration_has_forgotten_it() {
    for shape in shape::all() {
        let mut stage = Stage::of(&shape);
        stage.attach([]).unwrap();
        stage.context.config = Config::default();
        let second = event("second", BLUE, &shape.requests());
        assert_eq!(attach(&stage, &second).unwrap(), How::Already, "{}", shape.name);
        let mut kernel = stage.host.kernel();
        let preview = operation::preview_attach(&mut kernel, &stage.context, &second, in_time());
        assert!(preview.unwrap().steps.is_empty(), "{}", shape.name);
        // Another sandbox asks the configuration.
        let (other, _) = (
            "/run/netns/other",
            stage.host.with(|machine| machine.add_sandbox("/run/netns/other")),
        );
        let refused = attach(&stage, &event("other", other, &shape.requests())).unwrap_err();
        assert!(matches!(refused, OperationError::Request(_)), "{}: {refused}", shape.name);
    }
}

#[test]
fn a_network_that_has_another_interface_by_now_is_the_one_that_was_given() {
    let mut stage = Stage::of(&shape::named("vf_plain"));
    stage.attach([]).unwrap();
    stage.context.config = config::parse(ELSEWHERE).unwrap();
    for annotation in ["storage", "storage@net1"] {
        assert_eq!(attach(&stage, &asks(annotation)).unwrap(), How::Already);
    }
    assert!(attach(&stage, &asks("storage@net9")).is_err());
}

fn refused(shape: &Shape, annotation: &str) -> String {
    let stage = Stage::of(shape);
    stage.attach([]).unwrap();
    let before = (stage.host.snapshot(), stage.leases());
    let error = attach(&stage, &asks(annotation)).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Usage, "{annotation}: {error}");
    assert_eq!((stage.host.snapshot(), stage.leases()), before, "{annotation}");
    error.to_string()
}

#[test]
fn who_asks_for_something_else_is_told_no() {
    let (plain, chosen, two) =
        (shape::named("vf_plain"), shape::named("vf_set_up"), shape::named("two_networks"));
    for (shape, annotation) in [
        (&plain, "nonesuch"),
        (&plain, "storage@net2"),
        (&plain, "storage,storage@net2"),
        (&plain, r#"[{"name":"storage","addresses":["192.168.0.9/24"]}]"#),
        (&plain, r#"[{"name":"storage","mac":"02:00:5e:00:53:77"}]"#),
        (&chosen, r#"[{"name":"storage","mac":"02:00:5e:00:53:77"}]"#),
        (&chosen, r#"[{"name":"storage","addresses":["192.168.0.41/24"]}]"#),
        (&chosen, r#"[{"name":"storage","addresses":["192.168.0.40/25"]}]"#),
        (&chosen, r#"[{"name":"storage","addresses":["192.168.0.40/24","192.168.0.41/24"]}]"#),
        (&two, "storage"),
        (&two, "storage@a"),
        (&two, "storage@a,storage@a"),
        (&two, "storage@a,storage@b,storage@c"),
    ] {
        let said = refused(shape, annotation);
        assert!(said.contains("already, and asks for"), "{said}");
    }
    let said = refused(&chosen, r#"[{"name":"storage","addresses":["192.168.0.41/24"]}]"#);
    assert!(said.contains("192.168.0.40/24") && said.contains("192.168.0.41/24"), "{said}");
}

#[test]
fn who_names_less_takes_what_was_chosen() {
    for (shape, annotation) in [
        ("vf_set_up", "storage"),
        ("vf_set_up", r#"[{"name":"storage","mac":"02:00:5e:00:53:01"}]"#),
        ("two_networks", "storage,storage@b"),
        ("two_networks", "storage@b,storage@a"),
    ] {
        let stage = Stage::of(&shape::named(shape));
        stage.attach([]).unwrap();
        assert_eq!(attach(&stage, &asks(annotation)).unwrap(), How::Already, "{annotation}");
    }
}

#[test]
fn the_interface_whose_address_is_reported_is_one_that_was_given() {
    let stage = Stage::of(&shape::named("vf_plain"));
    stage.attach([]).unwrap();
    for (primary, is_there) in [("net1", true), ("eth0", false)] {
        let mut second = asks("storage");
        second.primary = Some(parse(primary));
        assert_eq!(attach(&stage, &second).is_ok(), is_there, "{primary}");
    }
}

/// Namespaces count their interfaces each for itself, and all that was given is tagged alike.
#[test]
fn no_link_of_ours_with_its_number_passes_for_a_device_that_is_gone() {
    let mut stood_in = 0;
    for shape in shape::all() {
        let stage = Stage::of(&shape);
        stage.attach([]).unwrap();
        let lease = stage.leases().remove(0);
        let mut kernel = stage.host.kernel();
        kernel.open_sandbox(&lease.netns.source).unwrap();
        let scene = kernel.observe_scene(&lease.plan).unwrap();
        let taken = lease.plan.steps().iter().find_map(|planned| match &planned.step {
            Step::TakeDevice(step) => Some(step),
            _ => None,
        });
        let Some(step) = taken else { continue };
        let mut gone = scene.clone();
        gone.sandbox.links.retain(|link| link.parent != Some(step.device));
        for position in 0..gone.sandbox.links.len() {
            let mut gone = gone.clone();
            gone.sandbox.links[position].index = step.index;
            let found = plan::mend(&lease.plan, &gone);
            let told = found.what();
            assert!(told.contains("missing: "), "{}, {position}: {told:?}", shape.name);
            stood_in += 1;
        }
    }
    assert!(stood_in > 0);
}
