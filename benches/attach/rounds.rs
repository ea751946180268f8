//! Contenders in turns, each round beginning with another one: what else the machine does, it does to all of them.

use std::time::{Duration, Instant};

use crate::contender::Contender;

/// One contender's times, in the order of the rounds.
pub(crate) struct Times {
    pub(crate) name: &'static str,
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
            contender.settle();
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
