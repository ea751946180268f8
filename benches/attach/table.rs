//! The figures as a table of at most 80 columns.

use crate::{
    process::Process,
    rounds::{Times, median, quantile},
};

pub(crate) fn headline(rounds: usize) {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    println!("\nLinux {}, {cpus} CPUs, load {load}; {rounds} rounds in turns.", kernel.trim());
    println!("One macvlan (4 + 6, default routes) and one service path (4 + 6).");
    if cfg!(debug_assertions) {
        println!("WITHOUT OPTIMISATION: these figures mean nothing.");
    }
}

/// The first contender is the floor.
pub(crate) fn contenders(times: &[Times]) {
    let Some(floor) = times.first() else { return };
    let (attach, detach) = (median(&floor.attach), median(&floor.detach));
    println!("\n{:<28} {:^24} {:^24}", "", "attach, ms", "detach, ms");
    let heads = ["median", "p90", "x floor"];
    let [one, two, three] = heads;
    println!("{:<28} {one:>8}{two:>8}{three:>8} {one:>8}{two:>8}{three:>8}", "");
    for contender in times {
        let figures = |times, floor| {
            let middle = median(times);
            format!("{middle:>8.2}{:>8.2}{:>8.2}", quantile(times, 0.9), middle / floor)
        };
        println!(
            "{:<28} {} {}",
            contender.name,
            figures(&contender.attach, attach),
            figures(&contender.detach, detach)
        );
    }
}

pub(crate) fn process(process: &Process) {
    println!("\n{:<44} {:>8}{:>8}", "one process, ms", "median", "p90");
    for (name, times) in [
        ("/bin/true", &process.nothing),
        ("vfhook --version", &process.version),
        ("hook for a container that asks for nothing", &process.unasked),
        ("poststop when the namespace is gone", &process.gone),
    ] {
        println!("{name:<44} {:>8.2}{:>8.2}", median(times), quantile(times, 0.9));
    }
    println!("{:<44} {:>8} KiB", "peak memory of an attaching hook", process.peak);
}
