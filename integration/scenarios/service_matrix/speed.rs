//! How fast a service is over our veth pair beside the ptp plugin's: the two take turns, and the best of each counts, since whatever else
//! the machine does makes a run worse and never better. It must not change what is laid down.

use crate::guest::Guest;
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::talk::{self, Speed};
use crate::matrix::{Measure, Part};

use super::scene::{self, BLUE, PLAIN};

const RUNS: usize = 10;
const MILLISECONDS: u32 = 250;
/// Measures; the table is judged as a whole.
pub(super) fn compare(guest: &mut Guest, part: &mut Part) -> Result<(), Failure> {
    guest.step("throughput and latency beside the ptp pod");
    let mut runs = [(BLUE, Vec::new()), (PLAIN, Vec::new())];
    for _ in 0..RUNS {
        for (client, speeds) in &mut runs {
            let from = Netns::named(client).place();
            speeds.push(talk::speed(&from, scene::at(0, 11, 80)?, MILLISECONDS)?);
        }
        // Who was last begins the next pair, so that neither always follows the other.
        runs.reverse();
    }
    runs.sort_by_key(|(client, _)| *client != BLUE);
    let [own, other] = runs.map(|(_, speeds)| best(&speeds));
    let measures = [
        (
            "throughput to a service (MiB/s)",
            own.throughput,
            other.throughput,
            own.throughput / other.throughput,
        ),
        (
            "round trip to a service (us)",
            own.round_trip,
            other.round_trip,
            other.round_trip / own.round_trip,
        ),
    ];
    for (what, container, ptp_pod, ratio) in measures {
        part.measures.push(Measure { what: what.to_owned(), container, ptp_pod, ratio });
    }
    Ok(())
}

fn best(speeds: &[Speed]) -> Speed {
    Speed {
        throughput: speeds.iter().map(|speed| speed.throughput).fold(0.0, f64::max),
        round_trip: speeds.iter().map(|speed| speed.round_trip).fold(f64::INFINITY, f64::min),
    }
}
