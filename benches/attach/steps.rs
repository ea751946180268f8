//! How long each step takes, as vfhook itself tells it for the log, and how long everything between the steps: looking, choosing,
//! planning, the lease.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use vfhook::plan::{self, step::Step};

use crate::{contender::Contender, in_process::InProcess, report::figure::Figure};

/// A contender that tells of each step how long it took. What each gives is the same, so each takes the same steps.
pub(crate) trait Traced: Contender {
    /// Attaches, and tells of it.
    fn attach_traced(&mut self) -> Lap;

    /// Takes back, and tells of it.
    fn detach_traced(&mut self) -> Lap;
}

/// One operation as it was told of.
pub(crate) struct Lap {
    /// Until whoever asked had its answer.
    took: Duration,
    steps: Vec<u64>,
    /// Whether the answer came after the last step.
    answered_last: bool,
}

/// The steps of one kind of operation.
pub(crate) struct Steps {
    /// Kind of each step in order, and its microseconds.
    pub(crate) each: Vec<(String, Figure)>,
    /// Of the whole operation, without all of them; nothing where the answer came before the last of them.
    pub(crate) between: Option<Figure>,
    pub(crate) whole: Figure,
}

/// What one contender tells of attaching and of detaching.
pub(crate) struct Told {
    pub(crate) name: &'static str,
    pub(crate) directions: [Steps; 2],
}

/// What each of `contenders` tells in so many rounds, in turns. `example` is of the same attachment.
pub(crate) fn trace(
    example: &mut InProcess<'_>,
    contenders: &mut [Box<dyn Traced + '_>],
    rounds: usize,
) -> Vec<Told> {
    let plan = example.lease().plan;
    let done: Vec<Step> = plan.steps().iter().map(|planned| planned.step.clone()).collect();
    let kinds = [kinds(&done), kinds(&plan::detach(&plan))];
    let mut laps: Vec<[Vec<Lap>; 2]> =
        contenders.iter().map(|_| [Vec::new(), Vec::new()]).collect();
    for _ in 0..rounds {
        for (contender, [attach, detach]) in contenders.iter_mut().zip(&mut laps) {
            attach.push(contender.attach_traced());
            detach.push(contender.detach_traced());
        }
    }
    let told = contenders.iter().zip(&laps).map(|(contender, [attach, detach])| Told {
        name: contender.name(),
        directions: [Steps::of(&kinds[0], attach), Steps::of(&kinds[1], detach)],
    });
    told.collect()
}

impl Lap {
    /// What `work` does on this thread.
    pub(crate) fn on_this_thread(work: impl FnOnce()) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = Listener(Arc::clone(&told));
        let began = Instant::now();
        tracing::subscriber::with_default(listener, work);
        let took = began.elapsed();
        let steps = told.lock().expect("nobody panicked").clone();
        Self { took, steps, answered_last: true }
    }

    /// What a program wrote into its log.
    pub(crate) fn written(took: Duration, log: &str, answered_last: bool) -> Self {
        Self { took, steps: log.lines().filter_map(written).collect(), answered_last }
    }
}

/// The microseconds that a line of the log tells of a step.
pub(crate) fn written(line: &str) -> Option<u64> {
    let (_, told) = line.trim_end().rsplit_once(" us=")?;
    told.parse().ok()
}

impl Steps {
    fn of(kinds: &[String], laps: &[Lap]) -> Self {
        for lap in laps {
            assert!(kinds.len() <= lap.steps.len(), "{kinds:?} are not all told: {:?}", lap.steps);
        }
        let whole = |lap: &Lap| lap.took.as_secs_f64() * 1e6;
        let steps = |lap: &Lap| lap.steps.iter().map(|&us| number(us)).sum::<f64>();
        let each = kinds.iter().enumerate().map(|(place, kind)| {
            (kind.clone(), Figure::of_numbers(laps.iter().map(|lap| number(lap.steps[place]))))
        });
        let between = || Figure::of_numbers(laps.iter().map(|lap| whole(lap) - steps(lap)));
        Self {
            each: each.collect(),
            between: laps.iter().all(|lap| lap.answered_last).then(between),
            whole: Figure::of_numbers(laps.iter().map(whole)),
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
