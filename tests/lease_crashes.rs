//! A process dies at any moment, or the state directory is not what it should be. Whoever comes next for the same
//! sandbox sets it right, or says why it cannot, and never gives anything twice.
#![cfg(test)]

mod support;

use std::{
    fs,
    os::unix,
    path::{Path, PathBuf},
    time::Duration,
};

use support::{
    crash::survive,
    host::{BLUE, parse},
    shape::{self, Shape},
    stage::{Stage, event, in_time},
};
use vfhook::{
    kernel::fake::{Effect, Fault},
    lease::{Claim, Lease, LeaseError, LeaseState},
    operation::{self, Detached, ExitCode, How, Mended, OperationError, Retry, Which},
    types::{Deadline, NetnsSource},
};

/// Who comes after the process that died.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// The same container asks again.
    Attach,
    /// It is taken back by id.
    Detach,
    /// It is taken back by namespace.
    DetachNetns,
    /// Somebody cleans up.
    Reconcile,
    /// The sandbox is gone by then, and is taken back.
    EndDetach,
    /// The sandbox is gone by then, and its id comes again in another namespace.
    EndAttachElsewhere,
}

const EVERYBODY: [Next; 6] = [
    Next::Attach,
    Next::Detach,
    Next::DetachNetns,
    Next::Reconcile,
    Next::EndDetach,
    Next::EndAttachElsewhere,
];

/// Ways to die in an operation of so many steps: before each of them, and after the last. Between two steps nothing
/// is recorded, so dying after one is dying before the next.
fn deaths(steps: usize) -> impl Iterator<Item = Fault> {
    let before = (1..=steps).map(|step| Fault::at(step, Effect::DieBefore));
    before.chain([Fault::at(steps, Effect::DieAfterwards)])
}

/// How many steps attaching has, and how many detaching.
fn steps_of(shape: &Shape) -> (usize, usize) {
    let stage = Stage::of(shape);
    stage.attach([]).unwrap();
    let plan = stage.leases().remove(0).plan;
    let shared = usize::from(plan.masquerades());
    (plan.steps().len(), plan.undo_of(plan.steps().len()).len() + shared)
}

#[test]
fn whoever_comes_after_a_death_while_attaching_sets_it_right() {
    for shape in shape::all() {
        for death in deaths(steps_of(&shape).0) {
            for next in EVERYBODY {
                let stage = Stage::of(&shape);
                let when = format!("{} {death:?} {next:?}", shape.name);
                assert!(survive(|| stage.attach([death.clone()])).is_none(), "{when}");
                assert_eq!(stage.leases()[0].state, LeaseState::Reserved, "{when}");
                come(&stage, &shape, next, &when);
            }
        }
    }
}

#[test]
fn whoever_comes_after_a_death_while_taking_back_sets_it_right() {
    for shape in shape::all() {
        for death in deaths(steps_of(&shape).1) {
            for next in EVERYBODY {
                let stage = Stage::of(&shape);
                let when = format!("{} {death:?} {next:?}", shape.name);
                stage.attach([]).unwrap();
                assert!(survive(|| stage.detach([death.clone()])).is_none(), "{when}");
                assert_eq!(stage.leases()[0].state, LeaseState::Releasing, "{when}");
                come(&stage, &shape, next, &when);
            }
        }
    }
}

#[test]
fn a_death_while_trying_again_is_set_right_too() {
    let shape = shape::everything();
    let refused = || [Fault::always(Effect::Refuse(nix::errno::Errno::EBUSY))];
    for death in deaths(steps_of(&shape).1) {
        let stage = Stage::of(&shape);
        stage.attach([]).unwrap();
        stage.detach(refused()).unwrap_err();
        let when = format!("{death:?}");
        assert!(survive(|| stage.detach([death.clone()])).is_none(), "{when}");
        come(&stage, &shape, Next::Detach, &when);
    }
}

/// `next` comes, succeeds, and in the end nothing is left.
fn come(stage: &Stage, shape: &Shape, next: Next, when: &str) {
    let end = || {
        let cookie = stage.leases()[0].netns.cookie;
        stage.host.with(|machine| machine.end_sandbox(cookie));
    };
    match next {
        Next::Attach => {
            let report = stage.attach([]).unwrap_or_else(|error| panic!("{when}: {error:?}"));
            assert_eq!(report.how, How::Attached, "{when}");
            assert_eq!(stage.detach([]).unwrap(), Detached::Detached, "{when}");
        }
        Next::Detach => {
            let done = stage.detach([]).unwrap_or_else(|error| panic!("{when}: {error:?}"));
            assert_eq!(done, Detached::Detached, "{when}");
        }
        Next::DetachNetns => {
            let which = Which::Netns(NetnsSource::Path(BLUE.into()));
            let done =
                operation::detach(&mut stage.host.kernel(), &stage.context, &which, in_time());
            assert_eq!(done.unwrap(), Detached::Detached, "{when}");
        }
        Next::Reconcile => {
            let found = reconcile(stage, false);
            assert_eq!(found, [Mended::Released], "{when}");
        }
        Next::EndDetach => {
            end();
            let done = stage.detach([]).unwrap_or_else(|error| panic!("{when}: {error:?}"));
            assert_eq!(done, Detached::Detached, "{when}");
            return stage.assert_host_untouched(when);
        }
        Next::EndAttachElsewhere => {
            end();
            stage.host.with(|machine| shape.add_sandbox(machine, "/run/netns/again"));
            stage
                .attach_to("blue", "/run/netns/again", [], in_time())
                .unwrap_or_else(|error| panic!("{when}: {error:?}"));
            stage.detach([]).unwrap();
            return stage.assert_host_untouched(when);
        }
    }
    stage.assert_untouched(when);
}

fn reconcile(stage: &Stage, dry_run: bool) -> Vec<Mended> {
    let mut kernel = stage.host.kernel();
    let found = operation::reconcile(
        &mut kernel,
        &stage.context,
        |_| false,
        Retry::Now,
        dry_run,
        in_time(),
    );
    found.unwrap().into_iter().map(|finding| finding.outcome).collect()
}

#[test]
fn a_death_before_anything_is_recorded_leaves_nothing() {
    let stage = Stage::of(&shape::everything());
    let lock = stage.context.leases.lock(in_time()).unwrap();
    let deadline = Deadline::after(Duration::from_millis(20));
    let error = stage.attach_to("blue", BLUE, [], deadline).unwrap_err();
    assert!(matches!(error, OperationError::Lease(LeaseError::Busy { .. })), "{error:?}");
    drop(lock);
    stage.assert_untouched("the table was locked");
    stage.attach([]).unwrap();
}

#[test]
fn a_lease_that_somebody_works_on_is_left_alone() {
    let stage = Stage::of(&shape::everything());
    survive(|| stage.attach([Fault::at(3, Effect::DieBefore)]));
    let claim = Claim::Id(parse("blue"));
    let working = stage.context.leases.reserve_existing(&claim, in_time()).unwrap().unwrap();
    let half_done = stage.host.snapshot();

    let soon = Deadline::after(Duration::from_millis(20));
    let attach = stage.attach_to("blue", BLUE, [], soon).unwrap_err();
    assert!(matches!(attach, OperationError::Lease(LeaseError::Busy { .. })), "{attach:?}");
    let which = Which::Id(parse("blue"));
    let detach =
        operation::detach(&mut stage.host.kernel(), &stage.context, &which, soon).unwrap_err();
    assert!(matches!(detach, OperationError::Lease(LeaseError::Busy { .. })), "{detach:?}");
    assert_eq!(reconcile(&stage, false), []);
    assert_eq!(half_done, stage.host.snapshot());

    drop(working);
    assert_eq!(reconcile(&stage, true), [Mended::WouldRelease]);
    assert_eq!(half_done, stage.host.snapshot());
    assert_eq!(reconcile(&stage, false), [Mended::Released]);
    stage.assert_untouched("after the one who worked on it died");
}

#[test]
fn a_lease_that_cannot_be_read_is_told_and_keeps_what_it_holds() {
    let stage = Stage::of(&shape::named("vf_plain"));
    let report = stage.attach([]).unwrap();
    let device = report.networks[0].device.unwrap();
    let file = stage.lease_file();
    let whole = fs::read(&file).unwrap();
    let attached = stage.host.snapshot();
    let cuts = [0, 1, whole.len() / 2, whole.len() - 3].map(|end| whole[..end].to_vec());
    let others = [b"not a lease".to_vec(), b"{\"version\":1}".to_vec(), vec![0; 4096]];
    for content in cuts.into_iter().chain(others) {
        fs::write(&file, &content).unwrap();
        let when = String::from_utf8_lossy(&content).chars().take(40).collect::<String>();
        for error in [stage.attach([]).unwrap_err(), stage.detach([]).unwrap_err()] {
            let OperationError::Lease(LeaseError::Unreadable { .. }) = error else {
                panic!("{when}: {error:?}");
            };
            assert_eq!(error.exit_code(), ExitCode::Failed, "{when}");
        }
        assert_eq!(stage.host.snapshot(), attached, "{when}");
        assert!(stage.context.leases.is_taken(&Claim::Device(device)), "{when}");
        let (leases, errors) = stage.context.leases.all().unwrap();
        assert_eq!((leases.len(), errors.len()), (0, 1), "{when}");
    }
    let green = stage.host.with(|machine| machine.add_sandbox("/run/netns/green"));
    let other = stage.attach_to("green", "/run/netns/green", [], in_time()).unwrap();
    assert_ne!(other.networks[0].device, Some(device));
    assert!(stage.host.with(|machine| machine.sandbox(green).unwrap().link("net1").is_some()));

    fs::write(&file, &whole).unwrap();
    stage.detach([]).unwrap();
    assert!(!stage.context.leases.is_taken(&Claim::Device(device)));
}

#[test]
fn a_lease_of_a_later_vfhook_is_left_alone_and_told() {
    let stage = Stage::of(&shape::everything());
    stage.attach([]).unwrap();
    let file = stage.lease_file();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"version\":1,"), "{text}");
    fs::write(&file, text.replace("\"version\":1,", "\"version\": 2, \"unheard\": [],")).unwrap();
    let attached = stage.host.snapshot();
    for error in [stage.attach([]).unwrap_err(), stage.detach([]).unwrap_err()] {
        let OperationError::Lease(LeaseError::Future { found: 2, path }) = &error else {
            panic!("{error:?}");
        };
        assert!(path.starts_with(stage.state_dir()), "{}", path.display());
    }
    assert_eq!(stage.host.snapshot(), attached);
    fs::write(&file, text).unwrap();
    stage.detach([]).unwrap();
    stage.assert_untouched("back to the format that is known");
}

#[test]
fn what_a_death_while_writing_leaves_means_nothing() {
    let stage = Stage::of(&shape::everything());
    let report = stage.attach([]).unwrap();
    let lease = stage.leases().remove(0);
    let file = stage.lease_file();
    stage.detach([]).unwrap();
    // Claims are linked before the lease is put in place and unlinked after it is removed.
    let target = Path::new("../leases").join(file.file_name().unwrap());
    for claim in lease.claims() {
        let link = stage.state_dir().join("claims").join(claim.to_string());
        unix::fs::symlink(&target, link).unwrap();
        assert!(!stage.context.leases.is_taken(&claim), "{claim}");
        assert!(stage.context.leases.find(&claim).unwrap().is_none(), "{claim}");
    }
    // A lease is written beside its place first.
    let mut beside = file.into_os_string();
    beside.push(".next");
    fs::write(&beside, b"{\"vers").unwrap();
    assert!(stage.leases().is_empty());

    // As if it had rested as long as the others, so that its turn is first.
    fs::remove_dir_all(stage.state_dir().join("returned")).unwrap();
    let again = stage.attach([]).unwrap();
    assert_eq!(again.networks[0].device, report.networks[0].device);
    stage.detach([]).unwrap();
    fs::remove_file(beside).unwrap();
    stage.assert_untouched("after links that lead nowhere");
}

/// A lease that was, for a process to have died over.
struct Dead {
    lease: Lease,
    file: PathBuf,
    text: String,
}

impl Dead {
    fn of(stage: &Stage) -> Self {
        stage.attach([]).unwrap();
        let (lease, file) = (stage.leases().remove(0), stage.lease_file());
        let text = fs::read_to_string(&file).unwrap();
        stage.detach([]).unwrap();
        Self { lease, file, text }
    }

    /// Leaves what a process leaves that died while it made or forgot the lease: this of its text, so many of its links.
    fn leave(&self, stage: &Stage, text: &str, links: usize) {
        fs::write(stage.state_dir().join("reserving"), text).unwrap();
        let target = Path::new("../leases").join(file_name(&self.file));
        for claim in self.lease.claims().iter().take(links) {
            let link = stage.state_dir().join("claims").join(claim.to_string());
            unix::fs::symlink(&target, link).unwrap();
        }
    }
}

#[test]
fn what_a_death_while_reserving_or_forgetting_leaves_is_cleared_by_whoever_comes_next() {
    let stage = Stage::of(&shape::everything());
    let dead = Dead::of(&stage);
    // Written to the end with all its links, or with some, or not to the end: then it has none.
    for (text, links) in
        [(&*dead.text, usize::MAX), (&dead.text, 2), (&dead.text, 0), ("{\"vers", 0)]
    {
        dead.leave(&stage, text, links);
        assert!(stage.leases().is_empty());
        let other = event("other", BLUE, &stage.requests);
        operation::attach(&mut stage.host.kernel(), &stage.context, &other, in_time()).unwrap();
        let which = Which::Id(parse("other"));
        operation::detach(&mut stage.host.kernel(), &stage.context, &which, in_time()).unwrap();
        stage.assert_untouched("after a reservation whose writer died");
    }
}

#[test]
fn what_a_death_while_forgetting_leaves_is_cleared_by_who_finds_no_lease() {
    let stage = Stage::of(&shape::everything());
    let dead = Dead::of(&stage);
    for next in [Next::Detach, Next::Reconcile] {
        dead.leave(&stage, &dead.text, usize::MAX);
        // It died twice: before that, while it wrote what the lease was to become.
        fs::write(stage.state_dir().join(format!("leases/{}.next", file_name(&dead.file))), "")
            .unwrap();
        if matches!(next, Next::Detach) {
            assert_eq!(stage.detach([]).unwrap(), Detached::Unknown);
        } else {
            assert_eq!(reconcile(&stage, true), []);
            assert!(stage.state_dir().join("reserving").exists(), "a dry run changes nothing");
            assert_eq!(reconcile(&stage, false), []);
        }
        assert_eq!(kept(&stage), [""; 0].map(PathBuf::from), "{next:?}");
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap()
}

#[test]
fn a_container_that_left_or_joined_as_its_process_died_is_forgotten_with_the_lease() {
    let stage = Stage::of(&shape::everything());
    stage.attach([]).unwrap();
    // Named before it is linked, unlinked while it is named still.
    let mut lease = stage.leases().remove(0);
    lease.passing.insert(parse("second"));
    stage.context.leases.update(&lease).unwrap();
    let target = Path::new("../leases").join(file_name(&stage.lease_file()));
    unix::fs::symlink(&target, stage.state_dir().join("claims/id.second")).unwrap();
    stage.detach([]).unwrap();
    assert_eq!(kept(&stage), [""; 0].map(PathBuf::from));
}

/// What is in the state directory beside its lock, the files that say in which order devices came back, and the empty folder for notices.
fn kept(stage: &Stage) -> Vec<PathBuf> {
    let parts = ["", "leases", "claims"].map(|part| stage.state_dir().join(part));
    let all = parts.iter().flat_map(|part| fs::read_dir(part).unwrap());
    let all = all.map(|entry| entry.unwrap().path());
    let always = ["lock", "returned", "notices"].map(|part| stage.state_dir().join(part));
    all.filter(|path| !parts.contains(path) && !always.contains(path)).collect()
}

#[test]
fn a_lease_that_cannot_be_put_in_its_place_leaves_nothing() {
    let stage = Stage::of(&shape::everything());
    stage.attach([]).unwrap();
    let (lease, file) = (stage.leases().remove(0), stage.lease_file());
    stage.detach([]).unwrap();
    fs::create_dir(&file).unwrap();
    let table = stage.context.leases.lock(in_time()).unwrap();
    let error = table.reserve(lease).unwrap_err();
    assert!(matches!(error, LeaseError::Io { operation: "write", .. }), "{error:?}");
    assert_eq!(kept(&stage), [file]);
}

#[test]
fn a_lease_that_somebody_removed_by_hand_leaves_nothing() {
    let stage = Stage::of(&shape::everything());
    stage.attach([]).unwrap();
    let table = stage.context.leases.lock(in_time()).unwrap();
    let seen = stage.leases().remove(0);
    let reservation = stage.context.leases.reserve_idle(&seen).unwrap().unwrap();
    fs::remove_file(stage.lease_file()).unwrap();
    table.remove(&reservation).unwrap();
    assert_eq!(kept(&stage), [""; 0].map(PathBuf::from));
}

#[test]
fn a_container_that_joins_and_dies_is_forgotten_with_the_lease() {
    let stage = Stage::of(&shape::everything());
    stage.attach([]).unwrap();
    let joined = event("second", BLUE, &stage.requests);
    let report =
        operation::attach(&mut stage.host.kernel(), &stage.context, &joined, in_time()).unwrap();
    assert_eq!(report.how, How::Already);
    let holder = |id: &str| {
        let which = Which::Holder(parse(id));
        operation::detach(&mut stage.host.kernel(), &stage.context, &which, in_time()).unwrap()
    };
    assert_eq!(holder("blue"), Detached::StillShared);
    assert_eq!(holder("second"), Detached::Detached);
    stage.assert_untouched("the last one left");
}
