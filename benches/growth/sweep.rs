//! The same work at several sizes of something, from the smallest to the largest and back, so that what else becomes of the machine
//! meanwhile is not taken for growth.

use std::time::{Duration, Instant};

/// Rounds at each visit of a size that are not counted: code and caches are warm then.
const WARM_UP: usize = 3;

/// One attachment and its end.
pub(crate) type Turn = (Duration, Duration);

/// What one way of attaching took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times {
    pub(crate) attach: Vec<Duration>,
    pub(crate) detach: Vec<Duration>,
}

/// One size, with the times of each way in the order of the ways.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) size: usize,
    pub(crate) ways: Vec<Times>,
}

/// Visits each size twice: makes it so with `set`, then plays `rounds` with `round`, which is told the round's number.
pub(crate) fn sweep(
    sizes: &[usize],
    rounds: usize,
    mut set: impl FnMut(usize),
    mut round: impl FnMut(usize) -> Vec<Turn>,
) -> Vec<Point> {
    let mut points: Vec<Point> =
        sizes.iter().map(|&size| Point { size, ways: Vec::new() }).collect();
    for visit in (0..sizes.len()).chain((0..sizes.len()).rev()) {
        set(sizes[visit]);
        for number in 0..rounds + WARM_UP {
            let turns = round(number);
            let ways = &mut points[visit].ways;
            ways.resize_with(turns.len(), Times::default);
            for (way, (attach, detach)) in ways.iter_mut().zip(turns) {
                if number >= WARM_UP {
                    way.attach.push(attach);
                    way.detach.push(detach);
                }
            }
        }
    }
    points
}

/// Lets all ways take turns, each round beginning with another one.
pub(crate) fn in_turn<T: ?Sized>(
    round: usize,
    ways: &mut [Box<T>],
    mut play: impl FnMut(&mut T) -> Turn,
) -> Vec<Turn> {
    let count = ways.len();
    let mut turns = vec![Turn::default(); count];
    for turn in 0..count {
        let which = (round + turn) % count;
        turns[which] = play(&mut ways[which]);
    }
    turns
}

pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}
