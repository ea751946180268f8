//! All that was found, as one JSON document. Times are milliseconds, those of steps microseconds.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{
    Found,
    counted::Counts,
    report::figure::Figure,
    steps::{Steps, Told},
};

pub(crate) fn of(found: &Found) -> Value {
    let mut contenders = Vec::new();
    let floor = &found.contenders[0];
    for (times, [attach, detach]) in found.contenders.iter().zip(&found.counts) {
        contenders.push(json!({
            "name": times.name,
            "attach": direction(&times.attach, &floor.attach, attach),
            "detach": direction(&times.detach, &floor.detach, detach),
        }));
    }
    let absent = found.absent.iter().map(|(name, why)| json!({ "name": name, "absent": why }));
    contenders.extend(absent);
    let steps: Map<String, Value> = found.steps.iter().map(told).collect();
    let process: Map<String, Value> = found.process.times().into_iter().map(process).collect();
    json!({
        "bench": "attach",
        "machine": found.machine,
        "given": found.given,
        "rounds": found.rounds,
        "contenders": contenders,
        "steps_us": steps,
        "process_ms": process,
        "peak_kib_of_an_attaching_hook": found.process.peak,
    })
}

fn direction(times: &[Duration], floor: &[Duration], counts: &Counts) -> Value {
    let ms = Figure::of(times);
    json!({ "ms": ms, "times_the_floor": ms.median / Figure::of(floor).median, "counts": counts })
}

fn told(told: &Told) -> (String, Value) {
    let [attach, detach] = &told.directions;
    (told.name.to_owned(), json!({ "attach": steps(attach), "detach": steps(detach) }))
}

fn steps(steps: &Steps) -> Value {
    let each = steps.each.iter().map(|(kind, us)| json!({ "step": kind, "us": us }));
    let each: Vec<Value> = each.collect();
    json!({ "each": each, "between": steps.between, "whole": steps.whole })
}

fn process((name, times): (&str, &[Duration])) -> (String, Value) {
    (name.to_owned(), json!(Figure::of(times)))
}
