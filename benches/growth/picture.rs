//! The pictures: how times grow, and how many are attached in a second.

use crate::{
    arguments::Arguments,
    growth::{Act, Growth},
    report::picture::{Lines, Words, lines},
};

/// What stands beside what is measured in the picture of growth, and what its lines are called.
const GROWTHS: [(&str, &str); 2] = [("leases on its card", "leases"), ("links", "links")];

/// Draws what was measured, where files are asked for.
pub(crate) fn draw(arguments: &Arguments, machine: &str, growths: &[Growth]) {
    let Some(directory) = &arguments.asked.write else { return };
    std::fs::create_dir_all(directory).expect("make the directory to write to");
    let find = |name: &str| growths.iter().find(|growth| growth.name == name);
    let found = GROWTHS.map(|(name, called)| Some((find(name)?, called)));
    if let [Some(leases), Some(links)] = found {
        let words = Words { title: "Time beside ever more leases and links", caption: machine };
        let places: Vec<String> = (0..leases.0.points.len())
            .map(|place| [leases, links].map(|(growth, _)| growth.points[place].size.to_string()))
            .map(|both| both.join(" | "))
            .collect();
        let series: Vec<_> = [leases, links].into_iter().flat_map(growing).collect();
        let across = "other leases on the same card | other links of the host";
        let upward = "times the median at the first";
        let picture = Lines { across, upward, places: &places, series: &series };
        lines(&directory.join("growth.svg"), &words, &picture);
    }
    if let Some(storm) = find("at once") {
        let words = Words { title: "Many at once", caption: machine };
        let places: Vec<String> = storm.points.iter().map(|point| point.size.to_string()).collect();
        let series = storming(storm);
        let (across, upward) = ("sandboxes at once", "sandboxes a second");
        let picture = Lines { across, upward, places: &places, series: &series };
        lines(&directory.join("storm.svg"), &words, &picture);
    }
}

/// The floor's attaching, and both acts of vfhook.
fn growing((growth, beside): (&Growth, &str)) -> [(String, Vec<f64>); 3] {
    [
        (format!("floor's attach, {beside}"), growth.by_first(Act::Attach, 0)),
        (format!("attach, {beside}"), growth.by_first(Act::Attach, 1)),
        (format!("detach, {beside}"), growth.by_first(Act::Detach, 1)),
    ]
}

fn storming(storm: &Growth) -> Vec<(String, Vec<f64>)> {
    let of = |act, verb: &'static str| {
        let ways = storm.ways.iter().enumerate();
        ways.map(move |(way, name)| (format!("{verb}, {name}"), storm.a_second(act, way)))
    };
    of(Act::Attach, "attach").chain(of(Act::Detach, "detach")).collect()
}
