//! Many sandboxes attached at the same moment, then all detached at the same moment: by hand, by vfhook in threads of one process,
//! and as hooks in a process each. A turn lasts from the first one's begin to the last one's end.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use crate::{
    contender::Contender,
    floor::Floor,
    hook::Hook,
    in_process::InProcess,
    messages::Which,
    netns_support::host::Host,
    one::floor,
    sweep::{Point, Turn, sweep},
};

/// How many at once.
const SIZES: [usize; 4] = [1, 4, 16, 64];
const MOST: usize = SIZES[SIZES.len() - 1];

/// What the ways of a point are, in their order.
pub(crate) const WAYS: [&str; 3] = ["floor", "in process", "as hooks"];

pub(crate) fn storm(host: &Host, rounds: usize) -> Vec<Point> {
    let mut floors: Vec<Floor> = numbers().map(|which| floor(Which(which))).collect();
    let mut threads: Vec<InProcess<'_>> =
        numbers().map(|which| InProcess::new(host, &format!("thread{which}"))).collect();
    let mut hooks: Vec<Hook<'_>> =
        numbers().map(|which| Hook::new(host, &format!("hook{which}"))).collect();
    let size = std::cell::Cell::new(0);
    let round = |number: usize| {
        let count = size.get();
        let mut turns = [Turn::default(); 3];
        for way in 0..turns.len() {
            let way = (number + way) % turns.len();
            turns[way] = match way {
                0 => play(&mut floors[..count]),
                1 => play(&mut threads[..count]),
                _ => play(&mut hooks[..count]),
            };
        }
        turns.to_vec()
    };
    sweep(&SIZES, rounds, |next| size.set(next), round)
}

fn numbers() -> impl Iterator<Item = u8> {
    (0..MOST).filter_map(|which| u8::try_from(which).ok())
}

fn play<C: Contender + Send>(contenders: &mut [C]) -> Turn {
    (at_once(contenders, C::attach), at_once(contenders, C::detach))
}

/// Has all of them do it, each on a thread that is there before the first one begins.
fn at_once<C: Send>(contenders: &mut [C], work: impl Fn(&mut C) + Sync) -> Duration {
    let ready = Barrier::new(contenders.len());
    let (ready, work) = (&ready, &work);
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let begin = |contender| {
            scope.spawn(move || {
                ready.wait();
                let began = Instant::now();
                work(contender);
                (began, Instant::now())
            })
        };
        let running: Vec<_> = contenders.iter_mut().map(begin).collect();
        running.into_iter().map(|one| one.join().expect("all of them can")).collect()
    });
    let first = spans.iter().map(|(began, _)| *began).min().expect("there is one");
    let last = spans.iter().map(|(_, ended)| *ended).max().expect("there is one");
    last - first
}
