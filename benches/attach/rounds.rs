//! Contenders in turns, each round beginning with another one: what else the machine does, it does to all of them.

use std::time::{Duration, Instant};

use crate::Contender;

/// One contender's times, in the order of the rounds.
pub(crate) struct Times {
    pub(crate) name: String,
    pub(crate) attach: Vec<Duration>,
    pub(crate) detach: Vec<Duration>,
}

/// Rounds that are played before the clock counts: code and caches are warm then.
const WARM_UP: usize = 3;

pub(crate) fn play(contenders: &mut [Box<dyn Contender + '_>], rounds: usize) -> Vec<Times> {
    let mut times: Vec<Times> = contenders
        .iter()
        .map(|contender| Times { name: contender.name(), attach: Vec::new(), detach: Vec::new() })
        .collect();
    let count = contenders.len();
    for round in 0..rounds + WARM_UP {
        for turn in 0..count {
            let which = (round + turn) % count;
            let contender = &mut contenders[which];
            let attach = timed(|| contender.attach());
            let detach = timed(|| contender.detach());
            if round >= WARM_UP {
                times[which].attach.push(attach);
                times[which].detach.push(detach);
            }
        }
    }
    times
}

pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// The median in milliseconds.
pub(crate) fn median(times: &[Duration]) -> f64 {
    quantile(times, 0.5)
}

/// The time in milliseconds that this part of all times does not exceed.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a position in a list of a few hundred"
)]
pub(crate) fn quantile(times: &[Duration], part: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort();
    let position = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(position).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}
