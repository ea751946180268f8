//! One reserved address and two nodes whose pods want it: all orders of events, to the last state. It is never in two places, and can
//! always become free again. What makes that so can be taken away, and then it goes wrong.
#![cfg(test)]

mod tenancy;

use tenancy::{Fault, Scene, search};

const ALL: [Fault; 5] =
    [Fault::Kill, Fault::Cut, Fault::DeleteNode, Fault::LoseAnswer, Fault::LoseRecord];

#[track_caller]
fn holds(kinds: &[Fault], faults: u8) {
    let searched = search(&Scene { kinds: kinds.to_vec(), faults, ..Scene::default() });
    assert_eq!((&searched.double, searched.stuck), (&None, 0), "{kinds:?}");
    println!("{kinds:?}: {} states, and no more", searched.states);
}

#[test]
fn a_reserved_address_has_one_place_and_can_become_free() {
    holds(&[], 0);
    for fault in ALL {
        holds(&[fault], 1);
    }
    if std::env::var("VFHOOK_EXPLORE").is_ok_and(|what| what == "all") {
        for one in ALL {
            for other in ALL.into_iter().filter(|other| *other >= one) {
                holds(&[one, other], 2);
            }
        }
    }
}

#[track_caller]
fn is_needed(what: &str, scene: &Scene) {
    let searched = search(scene);
    let steps =
        searched.double.unwrap_or_else(|| panic!("{what}: nothing in {} states", searched.states));
    println!("without {what}: in two places after {} steps\n    {steps:?}", steps.len());
}

#[test]
fn without_any_part_of_it_it_has_two() {
    let scene = |kinds: &[Fault]| Scene { kinds: kinds.to_vec(), faults: 2, ..Scene::default() };
    is_needed("the version in a write", &Scene { versions: false, ..scene(&[]) });
    let gone = scene(&[Fault::Cut, Fault::DeleteNode]);
    is_needed("the wire", &Scene { asks_wire: false, ..gone.clone() });
    is_needed("an attempt's end", &Scene { limit: u32::MAX, ..gone.clone() });
    let again = scene(&[Fault::Kill, Fault::DeleteNode]);
    is_needed("writing what is ours already", &Scene { writes_again: false, ..again });
    // As for blocks: what is cut off from both is seen by nobody.
    let both = scene(&[Fault::CutWire, Fault::DeleteNode]);
    is_needed("either of API and wire", &both);
}
