//! All orders of events on two nodes: no address has two owners, and every state can become free again. And without any one of the rules
//! it goes wrong, which shows that the search would see it. `VFHOOK_EXPLORE=all` searches what takes minutes, too.
#![cfg(test)]

mod world;

use address_blocks::{Rule, Waits};
use world::{
    Action, Broken, Scene,
    scene::{Fault, WAITS},
    search::{search, stuck},
    walk::{Dice, walk},
};

/// States that a search may look at where it must find something, or must come to an end.
const MOST: usize = 500_000;

/// The same for searches that take minutes and gigabytes.
const ALL: usize = 2_000_000;

/// What may happen to any cluster.
const USUAL: [Fault; 4] = [Fault::Kill, Fault::Reboot, Fault::Cut, Fault::LoseAnswer];

/// What takes records away, or blocks: it may let an address be given before its rest is over.
const RARE: [Fault; 5] =
    [Fault::DeleteNode, Fault::LoseRecords, Fault::CutWire, Fault::DeleteByHand, Fault::Backup];

/// An address that is in two places. One that is given too early is told apart: who lost a block under its sandboxes has nobody rest for
/// them, and a former sandbox's packets go astray for a minute.
fn is_double(broken: Broken) -> bool {
    matches!(broken, Broken::Double(_))
}

fn explores_all() -> bool {
    std::env::var("VFHOOK_EXPLORE").is_ok_and(|what| what == "all")
}

/// The first host has the block; its needs change, and it has the faults.
fn one_host(faults: u8, kinds: &[Fault]) -> Scene {
    let mut scene = Scene::new(1, faults, kinds).begun();
    (scene.wants, scene.faulty) = (1, 1);
    scene
}

/// The same, with one rule less, and nobody's needs change.
fn without(rule: Rule, faults: u8, kinds: &[Fault]) -> Scene {
    let mut scene = Scene::new(1, faults, kinds).begun().without(rule);
    scene.faulty = 1;
    scene
}

/// Goes on for three units without contact, where others are done in one.
const PATIENT: Waits = Waits { hold: 3, ..WAITS };

/// Nothing is broken in any state that can be reached, and those are not more than `most`.
#[track_caller]
fn holds(what: &str, scene: &Scene, most: usize, counts: impl Fn(Broken) -> bool) {
    let states = holds_as_far_as(what, scene, most, counts);
    assert!(states < most, "{what}: more than {states} states");
}

/// Nothing is broken in the first `most` states; how many there were.
#[track_caller]
fn holds_as_far_as(
    what: &str,
    scene: &Scene,
    most: usize,
    counts: impl Fn(Broken) -> bool,
) -> usize {
    let searched = search(scene, most, counts);
    let states = searched.states;
    if let Some((broken, steps)) = &searched.broken {
        panic!("{what}: {broken:?} after {} steps, {states} states:\n{steps:?}", steps.len());
    }
    let end = if searched.complete { "and no more" } else { "and there are more" };
    println!("{what}: {states} states, {} steps deep, {end}", searched.depth);
    states
}

#[track_caller]
fn goes_wrong(what: &str, scene: &Scene, counts: impl Fn(Broken) -> bool) {
    let searched = search(scene, MOST, counts);
    let Some((broken, steps)) = &searched.broken else {
        panic!("{what}: nothing went wrong in {} states", searched.states);
    };
    let all = steps.len() + scene.before.len();
    println!("without {what}: {broken:?} after {all} steps, {} states", searched.states);
    println!("    {:?} {steps:?}", scene.before);
}

/// Without it an address is in two places.
#[track_caller]
fn is_needed(what: &str, scene: &Scene) {
    goes_wrong(what, scene, is_double);
}

#[test]
fn no_address_has_two_owners() {
    holds("nothing happens", &Scene::new(1, 0, &[]), MOST, |_| true);
    holds("a machine is replaced", &Scene::new(1, 0, &[]).replaced(), MOST, |_| true);
    for fault in USUAL {
        holds(&format!("{fault:?}"), &one_host(1, &[fault]), MOST, |_| true);
    }
    for fault in RARE {
        let mut scene = one_host(1, &[fault]);
        // An owner that seems to be gone has many states of its own.
        scene.wants = usize::from(fault != Fault::DeleteNode);
        holds(&format!("{fault:?}"), &scene, MOST, is_double);
    }
    // What one rule covers is not what another rule's case comes to by itself.
    let mut gone = one_host(3, &[Fault::Kill, Fault::Backup, Fault::DeleteByHand]);
    (gone.wants, gone.before) = (0, vec![Action::Fault(Fault::Kill, 0)]);
    holds("dead, deleted by hand and restored", &gone, MOST, is_double);
}

#[test]
fn no_address_has_two_owners_whatever_two_things_happen() {
    if !explores_all() {
        return;
    }
    let mut cut = one_host(2, &[Fault::Cut, Fault::DeleteNode]).waiting(Waits { hold: 2, ..WAITS });
    (cut.wants, cut.before) = (0, vec![Action::Fault(Fault::DeleteNode, 0)]);
    holds("its Node is deleted, and it is cut off", &cut, ALL, is_double);
    for one in USUAL {
        let scene = Scene::new(1, 1, &[one]);
        holds_as_far_as(&format!("{one:?} anywhere"), &scene, ALL, is_double);
        let others = USUAL.into_iter().chain([Fault::DeleteNode, Fault::LoseRecords]);
        for other in others.filter(|other| *other > one) {
            let scene = one_host(2, &[one, other]);
            holds_as_far_as(&format!("{one:?} and {other:?}"), &scene, ALL, is_double);
        }
    }
}

#[test]
fn every_state_can_become_free_again() {
    let mut scenes = vec![("nothing happens".to_owned(), Scene::new(1, 0, &[]))];
    let faults = USUAL.into_iter().chain(RARE);
    scenes.extend(faults.map(|fault| {
        let mut scene = Scene::new(1, 1, &[fault]);
        (scene.wanting, scene.wants, scene.faulty) = (0, 1, 1);
        (format!("{fault:?}"), scene)
    }));
    for (what, scene) in scenes {
        let (states, stuck) = stuck(&scene, MOST);
        println!("{what}: all can be free again from each of {states} states");
        assert!(
            stuck.is_empty(),
            "{what}: {} of {states} states never:\n{:?}",
            stuck.len(),
            stuck[0]
        );
    }
}

/// The faults of the first host, one after another.
fn faults(kinds: &[Fault]) -> Vec<Action> {
    kinds.iter().map(|kind| Action::Fault(*kind, 0)).collect()
}

#[test]
fn without_a_rule_for_taking_and_giving_it_goes_wrong() {
    use Fault::{Backup, DeleteByHand, Kill, LoseAnswer, LoseRecords};
    let mut lost = Scene::new(1, 1, &[LoseAnswer]).without(Rule::LostAnswerIsRead);
    lost.wants = 0;
    is_needed("LostAnswerIsRead", &lost);
    let mut outage = Scene::new(1, 1, &[Backup]).waiting(PATIENT).without(Rule::QuietAfterOutage);
    (outage.reconnect, outage.wants) = (1, 0);
    is_needed("QuietAfterOutage", &outage);
    is_needed("OwnerIsMachine", &Scene::new(1, 0, &[]).replaced().without(Rule::OwnerIsMachine));
    for rule in [Rule::LostGivesNothing, Rule::WireIsAsked, Rule::Settle] {
        is_needed(&format!("{rule:?}"), &without(rule, 1, &[DeleteByHand]));
    }
    let rule = Rule::UnrememberedIsUnchecked;
    is_needed("UnrememberedIsUnchecked", &without(rule, 1, &[LoseRecords]));
    let rule = Rule::DeadGivesNothing;
    is_needed("DeadGivesNothing", &without(rule, 2, &[Kill, DeleteByHand]).waiting(PATIENT));
}

#[test]
fn without_a_rule_for_giving_back_it_goes_wrong() {
    use Fault::{Cut, Kill};
    let changing = |rule, before| {
        let mut scene = without(rule, 2, &[Kill, Cut]).waiting(PATIENT);
        (scene.wants, scene.before) = (1, before);
        scene
    };
    let before = vec![Action::Want(0)];
    is_needed("MarkedBeforeDeleted", &changing(Rule::MarkedBeforeDeleted, before));
    let before = vec![Action::Want(0), Action::Arrive(0), Action::Deliver(0)];
    is_needed("WithdrawnThenAsked", &changing(Rule::WithdrawnThenAsked, before));
}

#[test]
fn without_a_rule_for_absence_it_goes_wrong() {
    use Fault::{Backup, Cut, DeleteByHand, DeleteNode, Kill};
    let gone = |rule, waits| {
        let mut scene = without(rule, 2, &[Cut, DeleteNode]).waiting(waits);
        scene.before = faults(&[Cut, DeleteNode]);
        scene
    };
    is_needed("ReclaimWaits", &gone(Rule::ReclaimWaits, Waits { hold: 5, ..WAITS }));
    is_needed("Hold", &gone(Rule::Hold, WAITS));
    is_needed("ContactIsReading", &gone(Rule::ContactIsReading, WAITS));
    let waits = Waits { hold: 2, ..WAITS };
    let mut marks = without(Rule::ReclaimMarks, 2, &[Cut, DeleteNode]).waiting(waits);
    marks.before = faults(&[DeleteNode]);
    is_needed("ReclaimMarks", &marks);
    let mut dead = without(Rule::AskedAfterAbsence, 3, &[Kill, Backup, DeleteByHand]);
    dead.before = faults(&[Kill, Backup, DeleteByHand]);
    is_needed("AskedAfterAbsence, dead", &dead);
    let mut cut = without(Rule::AskedAfterAbsence, 3, &[Cut, DeleteNode, Backup]);
    cut.before = faults(&[Backup, Cut, DeleteNode]);
    is_needed("AskedAfterAbsence, cut off", &cut);
}

/// Rules that are in what is asked of the server, and not in the state machine: here the server does otherwise.
#[test]
fn without_what_is_asked_of_the_server_it_goes_wrong() {
    use Fault::{Cut, DeleteByHand, DeleteNode, Kill};
    let scene = |faults, kinds: &[Fault]| {
        let mut scene = Scene::new(1, faults, kinds).begun().waiting(PATIENT);
        scene.faulty = 1;
        scene
    };
    let mut versions = scene(2, &[Kill, Cut]);
    (versions.versions, versions.wants) = (false, 1);
    versions.before = vec![Action::Want(0), Action::Arrive(0), Action::Deliver(0)];
    is_needed("the version in a DELETE", &versions);
    let mut references = scene(2, &[Cut, DeleteNode]);
    references.owner_references = true;
    is_needed("blocks that have no owner reference", &references);
    let mut stale = scene(2, &[Kill, DeleteByHand]);
    stale.stale_reads = true;
    is_needed("reads from the quorum", &stale);
    let mut rests = Scene::new(1, 0, &[]);
    rests.rests = false;
    goes_wrong("rest", &rests, |_| true);
}

/// What no rule can give, as the documentation says: the search sees it.
#[test]
fn cut_off_from_api_and_wire_an_address_can_be_in_two_places() {
    let mut scene = Scene::new(1, 3, &[Fault::Cut, Fault::CutWire, Fault::DeleteNode]).begun();
    scene.faulty = 1;
    scene.before = vec![Action::Attach(0, [10, 0, 0, 0].into())];
    is_needed("either of API and wire", &scene);
}

/// Three nodes, blocks of two addresses, and four faults of any kind that blocks are safe from.
#[test]
fn no_address_has_two_owners_in_larger_clusters() {
    let seed = std::env::var("VFHOOK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        u64::from(now.unwrap().subsec_nanos())
    });
    let walks = if explores_all() { 200_000 } else { 1_000 };
    let mut kinds = USUAL.to_vec();
    kinds.extend([Fault::DeleteNode, Fault::LoseRecords]);
    let scene = Scene::new(1, 4, &kinds).of(3, 4, 31).waiting(PATIENT);
    let mut dice = Dice(seed);
    for _ in 0..walks {
        if let Some((broken, steps)) = walk(&scene, &mut dice, 300, is_double).broken {
            panic!(
                "VFHOOK_SEED={seed} runs it again: {broken:?} after {} steps:\n{steps:?}",
                steps.len()
            );
        }
    }
    println!("{walks} walks of 300 steps, VFHOOK_SEED={seed}");
}
