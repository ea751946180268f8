//! How fast a service is over our veth pair beside the ptp plugin's: the two take turns. It must not change what is laid down.

use crate::guest::Guest;
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::talk::{self, Speed};
use crate::matrix::{Measure, Part};

use super::scene::{self, BLUE, PLAIN};

const RUNS: usize = 10;
const MILLISECONDS: u32 = 300;
/// Both ways have the same links, routes and rules; what an emulated machine makes of that differs by some per cent.
const LEAST: f64 = 0.9;

/// Measures, and fails when the container is slower.
pub(super) fn compare(guest: &mut Guest, part: &mut Part) -> Result<(), Failure> {
    guest.step("throughput and latency beside the ptp pod");
    let mut pairs = Vec::new();
    for run in 0..RUNS {
        let ask = |client| {
            talk::speed(&Netns::named(client).place(), scene::at(0, 11, 80)?, MILLISECONDS)
        };
        // Who is first changes, so that neither always follows the other.
        pairs.push(if run % 2 == 0 {
            let own = ask(BLUE)?;
            (own, ask(PLAIN)?)
        } else {
            let other = ask(PLAIN)?;
            (ask(BLUE)?, other)
        });
    }
    let throughput = |speed: &Speed| speed.throughput;
    let round_trip = |speed: &Speed| speed.round_trip;
    let mut measures = [
        measure("throughput to a service (MiB/s)", &pairs, throughput),
        measure("round trip to a service (us)", &pairs, round_trip),
    ];
    // Of a time less is better.
    if let Some(time) = measures.last_mut() {
        time.ratio = time.ratio.recip();
    }
    for measure in measures {
        guest.check(
            &format!("{}: at least the ptp pod's", measure.what),
            measure.ratio >= LEAST,
            format!("{measure:?}"),
        )?;
        part.measures.push(measure);
    }
    Ok(())
}

fn measure(what: &str, pairs: &[(Speed, Speed)], of: fn(&Speed) -> f64) -> Measure {
    Measure {
        what: what.to_owned(),
        container: median(pairs.iter().map(|(own, _)| of(own))),
        ptp_pod: median(pairs.iter().map(|(_, other)| of(other))),
        ratio: median(pairs.iter().map(|(own, other)| of(own) / of(other))),
    }
}

fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = of.collect();
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    let around = all.get(middle.saturating_sub(1)).zip(all.get(middle));
    around.map_or(
        f64::NAN,
        |(below, above)| if all.len() % 2 == 0 { below.midpoint(*above) } else { *above },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_between_the_two_in_the_middle() {
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < f64::EPSILON);
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < f64::EPSILON);
    }
}
