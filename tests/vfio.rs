//! A VF that a program drives: bound to vfio-pci while its sandbox has it, and a netdev as before afterwards, also when somebody was slow to
//! let go of it.
#![cfg(test)]

mod support;

use nix::errno::Errno;
use support::{
    crash::survive,
    host::{BLUE, CARD, parse, vf},
    shape,
    stage::{Stage, event, in_time},
};
use vfhook::{
    kernel::fake::{Effect, Fault, Machine, Vf},
    operation::{self, Detached, ExitCode, Mended, OperationError},
    request::{self, RequestError},
    types::{AdminMac, Origin},
};

fn staged() -> Stage {
    Stage::of(&shape::named("vfio"))
}

fn edit(stage: &Stage, number: usize, edit: impl FnOnce(&mut Vf)) {
    stage.host.with(|machine| {
        let card = machine.cards.get_mut(&parse(CARD)).unwrap();
        edit(card.vfs.iter_mut().find(|found| found.address == vf(number)).unwrap());
    });
}

fn seen(stage: &Stage, number: usize) -> Vf {
    let mut found = None;
    edit(stage, number, |vf| found = Some(vf.clone()));
    found.unwrap()
}

#[test]
fn it_is_bound_with_the_mac_of_its_netdev_and_comes_home() {
    let stage = staged();
    let mac = stage.host.with(|machine| machine.host.link("ens1f0v0").unwrap().facts.mac).unwrap();
    let report = stage.attach([]).unwrap();
    let given = seen(&stage, 0);
    assert_eq!(given.driver.as_deref(), Some("vfio-pci"));
    assert_eq!(given.attributes.mac, Some(AdminMac::Assigned(mac)));
    assert_eq!(given.attributes.vlan.unwrap().id, 100);
    assert!(stage.host.with(|machine| machine.host.link("ens1f0v0").is_none()));
    let [driven] = &report.vfio[..] else { panic!("{report:?}") };
    assert_eq!((driven.device, driven.nodes.len()), (vf(0), 2));
    assert_eq!(report.networks[0].mac, Some(mac));
    let status = operation::status(&mut stage.host.kernel(), &stage.context).unwrap();
    assert_eq!((status.pools[0].bind, status.pools[0].free), (Some("vfio-pci"), Some(2)));
    assert_eq!(status.attention, [""; 0]);
    let shown = status.pools[0].devices[0].interface.clone().unwrap();
    assert_eq!(shown, driven.nodes[0].path.display().to_string());
    // Twice is once.
    assert_eq!(stage.attach([]).unwrap().vfio, report.vfio);
    stage.detach([]).unwrap();
    stage.assert_untouched("detached");
}

#[test]
fn one_that_a_program_still_has_stays_with_its_lease() {
    let stage = staged();
    stage.attach([]).unwrap();
    stage.host.with(|machine| machine.opened.insert(vf(0)));
    let error = stage.detach([]).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::NeedsCleanup, "{error}");
    assert!(error.to_string().contains("has it open"), "{error}");
    // Nobody else is given it, and what it is meant for is not changed under its user.
    assert_eq!(seen(&stage, 0).driver.as_deref(), Some("vfio-pci"));
    assert_eq!(stage.leases().len(), 1);
    stage.host.with(|machine| machine.opened.clear());
    assert_eq!(stage.detach([]).unwrap(), Detached::Detached);
    stage.assert_untouched("let go");
}

#[test]
fn one_that_lost_vfio_is_told_and_not_bound_again() {
    let stage = staged();
    stage.attach([]).unwrap();
    edit(&stage, 0, |vf| vf.driver = Some("igbvf".to_owned()));
    let lost = seen(&stage, 0);
    let nobody = |_: &vfhook::lease::Lease| false;
    let mut kernel = stage.host.kernel();
    let retry = operation::Retry::Now;
    let found =
        operation::reconcile(&mut kernel, &stage.context, nobody, retry, false, in_time()).unwrap();
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert!(finding.what.starts_with("missing: it is bound to igbvf"), "{finding:?}");
    assert_eq!((finding.device, &finding.outcome), (Some(vf(0)), &Mended::LeftAlone));
    assert_eq!(seen(&stage, 0), lost);
    let error = stage.attach([]).unwrap_err();
    assert!(error.to_string().contains("bound to igbvf"), "{error}");
}

#[test]
fn what_it_was_bound_to_alone_before_it_is_again() {
    let stage = staged();
    for number in 0..3 {
        edit(&stage, number, |vf| vf.driver_override = Some("igbvf".to_owned()));
    }
    let before = stage.host.snapshot();
    stage.attach([]).unwrap();
    assert_eq!(seen(&stage, 0).driver_override.as_deref(), Some("vfio-pci"));
    stage.detach([]).unwrap();
    assert_eq!(before.changes(&stage.host.snapshot()), [""; 0]);
}

#[test]
fn without_vfio_pci_nothing_is_touched_and_the_cure_is_named() {
    let stage = staged();
    stage.host.with(|machine: &mut Machine| machine.lacks_vfio = true);
    let error = stage.attach([]).unwrap_err();
    assert!(error.to_string().contains("modprobe vfio-pci"), "{error}");
    stage.assert_untouched("refused");
}

#[test]
fn a_hook_comes_too_late_for_a_node() {
    let stage = staged();
    for (origin, is_refused) in [
        (Origin::Hook, true),
        (Origin::Cni, true),
        (Origin::Nri, false),
        (Origin::Command, false),
        (Origin::Runtime, false),
    ] {
        let event = request::SandboxEvent { origin, ..event("blue", BLUE, &stage.requests) };
        let preview =
            operation::preview_attach(&mut stage.host.kernel(), &stage.context, &event, in_time());
        match preview {
            Err(OperationError::Request(RequestError::NoNode(network))) if is_refused => {
                assert_eq!(network.as_str(), "data");
            }
            preview => assert!(!is_refused && preview.is_ok(), "{origin:?}: {preview:?}"),
        }
    }
}

#[test]
fn one_that_vfio_has_without_a_lease_is_told_and_left_alone() {
    let stage = staged();
    stage.host.with(|machine| machine.unbind(vf(1)));
    edit(&stage, 1, |vf| vf.driver = Some("vfio-pci".to_owned()));
    let before = stage.host.snapshot();
    let found =
        operation::audit(&mut stage.host.kernel(), &stage.context, false, in_time()).unwrap();
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert!(finding.what.starts_with("stranded: "), "{finding:?}");
    assert_eq!((finding.device, &finding.outcome), (Some(vf(1)), &Mended::LeftAlone));
    assert_eq!(before.changes(&stage.host.snapshot()), [""; 0]);
    // In a pool of netdevs it is a virtual machine's.
    let plain = Stage::of(&shape::named("vf_plain"));
    plain.host.with(|machine| machine.unbind(vf(1)));
    edit(&plain, 1, |vf| vf.driver = Some("vfio-pci".to_owned()));
    let found =
        operation::audit(&mut plain.host.kernel(), &plain.context, false, in_time()).unwrap();
    assert_eq!(found, []);
}

/// Everything that may go wrong at each of so many steps, and one that goes well.
fn faults(steps: usize) -> impl Iterator<Item = Fault> {
    let effects = [
        Effect::Refuse(Errno::EBUSY),
        Effect::RefuseAfterwards(Errno::EBUSY),
        Effect::DieBefore,
        Effect::DieAfterwards,
        Effect::Repeat,
        Effect::EndSandbox,
    ];
    (1..=steps).flat_map(move |at| effects.map(|effect| Fault::at(at, effect)))
}

#[test]
fn whatever_goes_wrong_it_comes_home() {
    for shape in shape::driven() {
        let stage = Stage::of(&shape);
        stage.attach([]).unwrap();
        let steps = stage.leases()[0].plan.steps().len();
        stage.detach([]).unwrap();
        stage.assert_untouched(shape.name);
        for fault in faults(steps) {
            let when = format!("{} {fault:?}", shape.name);
            let stage = Stage::of(&shape);
            let _ = survive(|| stage.attach([fault.clone()]));
            let _ = stage.detach([]);
            stage.assert_host_untouched(&format!("attaching: {when}"));
            let stage = Stage::of(&shape);
            stage.attach([]).unwrap();
            let _ = survive(|| stage.detach([fault.clone()]));
            let _ = stage.detach([]);
            stage.assert_host_untouched(&format!("detaching: {when}"));
        }
    }
}
