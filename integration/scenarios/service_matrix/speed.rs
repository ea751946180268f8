//! How fast a service is over our veth pair beside the ptp plugin's: they take turns, each turn is compared with its neighbours, and the
//! middle of the ratios counts. The ptp pod also runs against itself, which tells what the machine makes of two equals. It must not
//! change what is laid down.

use crate::guest::Guest;
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::talk::{self, Speed};
use crate::matrix::{Measure, Part};

use super::scene::{self, BLUE, PLAIN};

const RUNS: usize = 10;
const MILLISECONDS: u32 = 250;
/// Who takes turns: the container, the ptp pod, and the ptp pod as if it were another.
const CLIENTS: [&str; 3] = [BLUE, PLAIN, PLAIN];

/// Measures; the table is judged as a whole.
pub(super) fn compare(guest: &mut Guest, part: &mut Part) -> Result<(), Failure> {
    guest.step("throughput and latency beside the ptp pod");
    let mut order = [0, 1, 2];
    let mut rounds = Vec::new();
    for _ in 0..RUNS {
        let mut round = [Speed { throughput: 0.0, round_trip: 0.0 }; CLIENTS.len()];
        for client in order {
            let from = Netns::named(CLIENTS[client]).place();
            round[client] = talk::speed(&from, scene::at(0, 11, 80)?, MILLISECONDS)?;
        }
        rounds.push(round);
        // Nobody always follows the same one, nor is always first.
        order.rotate_left(1);
    }
    let throughput = |speed: &Speed| speed.throughput;
    let quickness = |speed: &Speed| 1e6 / speed.round_trip;
    part.measures.push(measure("throughput to a service (MiB/s)", &rounds, throughput));
    part.measures.push(measure("questions answered in a second", &rounds, quickness));
    Ok(())
}

fn measure(what: &str, rounds: &[[Speed; CLIENTS.len()]], good: impl Fn(&Speed) -> f64) -> Measure {
    let middle = |of: &dyn Fn(&[Speed; CLIENTS.len()]) -> f64| median(rounds.iter().map(of));
    Measure {
        what: what.to_owned(),
        container: middle(&|[own, ..]| good(own)),
        ptp_pod: middle(&|[_, pod, _]| good(pod)),
        ratio: middle(&|[own, pod, _]| good(own) / good(pod)),
        equals: middle(&|[_, pod, again]| good(again) / good(pod)),
    }
}

/// The middle one, or what lies between the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let low = values.len().saturating_sub(1) / 2;
    f64::midpoint(values[low], values[half])
}
