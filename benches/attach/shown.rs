//! All that was found, as tables and as pictures.

use std::{path::Path, time::Duration};

use crate::{
    Found,
    counted::Counts,
    report::{
        figure::Figure,
        picture::{Words, bars},
        table::{Table, number, significant},
    },
    steps::Steps,
};

/// Attaching or detaching.
#[derive(Clone, Copy)]
struct Direction {
    word: &'static str,
    place: usize,
}

const DIRECTIONS: [Direction; 2] =
    [Direction { word: "attach", place: 0 }, Direction { word: "detach", place: 1 }];

pub(crate) fn tables(found: &Found) {
    println!("\n{}\n{} rounds in turns.", found.machine.line(), found.rounds);
    println!("Each sandbox: {}.", found.given);
    println!("Times are ms. Kernel and user are on a processor, counted as the rest is in");
    println!("rounds of their own, which counting slows: they may come to more than p50.");
    for direction in DIRECTIONS {
        print!("\n{}", contenders(found, direction));
    }
    println!("\n* another end state: no tag, other routes and neighbours; no wait for IPv6's DAD");
    for direction in DIRECTIONS {
        print!("\n{}", steps(found, direction));
    }
    print!("\n{}", process(found));
}

/// How long a direction took, contender by contender and in their order.
fn times(found: &Found, direction: Direction) -> impl Iterator<Item = (&'static str, Figure)> {
    let of = move |attach: &[Duration], detach: &[Duration]| {
        Figure::of(if direction.place == 0 { attach } else { detach })
    };
    found.contenders.iter().map(move |times| (times.name, of(&times.attach, &times.detach)))
}

fn contenders(found: &Found, direction: Direction) -> Table {
    let mut table = Table::new(&[
        direction.word,
        "p50",
        "p90",
        "p99",
        "floor",
        "msgs",
        "calls",
        "faults",
        "kernel",
        "user",
    ]);
    let floor = times(found, direction).next().map_or(f64::NAN, |(_, ms)| ms.median);
    for ((name, ms), counts) in times(found, direction).zip(&found.counts) {
        let ratio = format!("{:.2}", ms.median / floor);
        let three = [ms.median, ms.p90, ms.p99].map(|ms| significant(Some(ms)));
        let cells = [name.to_owned()].into_iter().chain(three).chain([ratio]);
        table.row(cells.chain(counted(&counts[direction.place])));
    }
    for (name, why) in &found.absent {
        table.row([(*name).to_owned(), why.clone()]);
    }
    table
}

fn counted(counts: &Counts) -> [String; 5] {
    [
        counts.messages.map_or_else(|| "-".to_owned(), |messages| messages.to_string()),
        number(counts.system_calls, 0),
        number(counts.page_faults, 0),
        significant(counts.kernel_ms),
        significant(counts.outside_ms),
    ]
}

/// The medians of each contender.
fn steps(found: &Found, direction: Direction) -> Table {
    let head = format!("{} step by step, µs", direction.word);
    let names = found.steps.iter().map(|told| told.name);
    let mut table = Table::new(&[head.as_str()].into_iter().chain(names).collect::<Vec<_>>());
    let all: Vec<&Steps> =
        found.steps.iter().map(|told| &told.directions[direction.place]).collect();
    let mut row = |name: &str, us: &dyn Fn(&Steps) -> Option<Figure>| {
        let medians = all.iter().map(|steps| number(us(steps).map(|us| us.median), 0));
        table.row([name.to_owned()].into_iter().chain(medians));
    };
    for (place, (kind, _)) in all.first().map_or(&[][..], |steps| &steps.each).iter().enumerate() {
        row(&kind.replace('_', " "), &|steps| Some(steps.each[place].1));
    }
    row("all else: look, choose, lease", &|steps| steps.between);
    row("until the answer", &|steps| Some(steps.whole));
    table
}

fn process(found: &Found) -> Table {
    let mut table = Table::new(&["one process, ms", "p50", "p90", "p99"]);
    for (name, times) in found.process.times() {
        let ms = Figure::of(times);
        let three = [ms.median, ms.p90, ms.p99].map(|ms| significant(Some(ms)));
        table.row([name.to_owned()].into_iter().chain(three));
    }
    let peak = format!("{} KiB", found.process.peak);
    table.row(["peak memory of an attaching hook".to_owned(), peak]);
    table
}

/// Writes `attach.svg` and `detach.svg`.
pub(crate) fn pictures(found: &Found, directory: &Path, suffix: &str) {
    let caption =
        format!("{}; {} rounds in turns. * another end state", found.machine.line(), found.rounds);
    for direction in DIRECTIONS {
        let floor = times(found, direction).next().map_or(f64::NAN, |(_, ms)| ms.median);
        let ratio = |(name, ms): (&str, Figure)| (name.to_owned(), ms.median / floor);
        let ratios: Vec<(String, f64)> = times(found, direction).map(ratio).collect();
        let title =
            format!("To {} {}: times the floor ({floor:.2} ms)", direction.word, found.given);
        let words = Words { title: &title, caption: &caption };
        let path = directory.join(format!("{}{suffix}.svg", direction.word));
        bars(&path, &words, " x", &ratios);
    }
}
