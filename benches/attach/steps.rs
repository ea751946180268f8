//! How long each step takes, as vfhook itself tells it for the log, and how long everything between the steps: looking, choosing,
//! planning, the lease.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use vfhook::plan::{self, step::Step};

use crate::{
    contender::Contender as _, in_process::InProcess, report::figure::Figure, rounds::timed,
};

/// The steps of one kind of operation.
pub(crate) struct Steps {
    /// Kind of each step in order, and its microseconds.
    pub(crate) each: Vec<(String, Figure)>,
    /// Of the whole operation, without all of them.
    pub(crate) between: Figure,
    pub(crate) whole: Figure,
}

/// Of attaching and of detaching.
pub(crate) fn trace(contender: &mut InProcess<'_>, rounds: usize) -> [Steps; 2] {
    let plan = contender.lease().plan;
    let done: Vec<Step> = plan.steps().iter().map(|planned| planned.step.clone()).collect();
    let kinds = [kinds(&done), kinds(&plan::detach(&plan))];
    let mut lives: [Vec<(Duration, Vec<u64>)>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        lives[0].push(heard(|| contender.attach()));
        lives[1].push(heard(|| contender.detach()));
    }
    let [attach, detach] = kinds;
    [Steps::of(attach, &lives[0]), Steps::of(detach, &lives[1])]
}

impl Steps {
    fn of(kinds: Vec<String>, lives: &[(Duration, Vec<u64>)]) -> Self {
        for (_, steps) in lives {
            assert!(kinds.len() <= steps.len(), "{kinds:?} are not all told: {steps:?}");
        }
        let whole = |life: &(Duration, Vec<u64>)| life.0.as_secs_f64() * 1e6;
        let steps = |life: &(Duration, Vec<u64>)| life.1.iter().map(|&us| number(us)).sum::<f64>();
        let each = kinds.into_iter().enumerate().map(|(place, kind)| {
            (kind, Figure::of_numbers(lives.iter().map(|(_, steps)| number(steps[place]))))
        });
        Self {
            each: each.collect(),
            between: Figure::of_numbers(lives.iter().map(|life| whole(life) - steps(life))),
            whole: Figure::of_numbers(lives.iter().map(whole)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "some milliseconds")]
fn number(us: u64) -> f64 {
    us as f64
}

/// The word by which a lease names each step.
fn kinds(steps: &[Step]) -> Vec<String> {
    let kind = |step: &Step| {
        let written = serde_json::to_value(step).expect("a step is JSON");
        let place = written["place"].as_str().map(|place| format!(", {place}"));
        format!("{}{}", written["do"].as_str().expect("a kind"), place.unwrap_or_default())
    };
    steps.iter().map(kind).collect()
}

/// How long `work` took, and each step in it.
fn heard(work: impl FnOnce()) -> (Duration, Vec<u64>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Listener(Arc::clone(&told));
    let took = tracing::subscriber::with_default(listener, || timed(work));
    let told = told.lock().expect("nobody panicked").clone();
    (took, told)
}

/// Keeps the microseconds that are told of steps, and nothing else.
struct Listener(Arc<Mutex<Vec<u64>>>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "vfhook::execute::timed"
    }

    fn event(&self, event: &Event<'_>) {
        let mut found = Microseconds(None);
        event.record(&mut found);
        self.0.lock().expect("nobody panicked").extend(found.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Microseconds(Option<u64>);

impl Visit for Microseconds {
    fn record_u128(&mut self, field: &Field, value: u128) {
        if field.name() == "us" {
            self.0 = u64::try_from(value).ok();
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
