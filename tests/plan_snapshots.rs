//! Plans in words, as `--dry-run` prints them: each step with its undo, then the way back. A change of wording or
//! order shows as a difference to the files in `tests/snapshots`; `cargo insta review` accepts it.
#![cfg(test)]

mod support;

use std::fmt::Write as _;

use support::{choice::plan_of, shape};
use vfhook::{
    kernel::fake::FakeHost,
    plan::{Others, Plan, check, detach, last_one_out, sentence, undo_sentence},
};

#[test]
fn every_shape_in_words() {
    for shape in shape::all() {
        let plan = plan_of(&shape, &FakeHost::new(shape.machine()));
        assert_eq!(check(&plan), [], "{}", shape.name);
        insta::assert_snapshot!(shape.name, in_words(&plan));
    }
}

fn in_words(plan: &Plan) -> String {
    let mut text = String::new();
    for (position, planned) in plan.steps().iter().enumerate() {
        let what = sentence(&planned.step);
        let undo = undo_sentence(&planned.undo);
        writeln!(text, "{:>2}. {what}\n    undo: {undo}", position + 1).unwrap();
    }
    writeln!(text, "back:").unwrap();
    for step in detach(plan).iter().chain(&last_one_out(plan, Others::default())) {
        writeln!(text, "  - {}", sentence(step)).unwrap();
    }
    text
}

/// A lease on disk is read back by another process, of another version even: what a plan says must survive that.
#[test]
fn every_plan_survives_being_written_and_read() {
    for shape in shape::all() {
        let plan = plan_of(&shape, &FakeHost::new(shape.machine()));
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan, "{}", shape.name);
    }
}
