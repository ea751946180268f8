//! One sandbox attached and detached again, by hand and by vfhook, beside ever more of what does not concern it.

use crate::{
    contender::Contender,
    device::Device,
    end_state,
    floor::Floor,
    held::Held,
    in_process::InProcess,
    messages::Which,
    netns_support::host::Host,
    sweep::{Point, Turn, in_turn, sweep, timed},
};

/// Other leases.
const LEASES: [usize; 4] = [0, 10, 100, 1000];

/// Other links of the host.
const LINKS: [usize; 4] = [1, 8, 64, 256];

/// Beside leases of this network.
pub(crate) fn beside_leases(host: &Host, network: &str, rounds: usize) -> Vec<Point> {
    let mut held = Held::none(host, network);
    let points = beside(host, &LEASES, rounds, |count| held.become_many(count));
    held.become_many(0);
    points
}

/// Beside ends of pairs, as other pods have them.
pub(crate) fn beside_links(host: &Host, rounds: usize) -> Vec<Point> {
    let wire = host.wire();
    let (mut there, other_end) = (0, wire.name());
    let mut set = |count| {
        let add = |number| {
            format!("link add other{number} up type veth peer name other{number} netns {other_end}")
        };
        let delete = |number| format!("link delete other{number}");
        let commands: Vec<String> =
            (there..count).map(add).chain((count..there).map(delete)).collect();
        host.ip(&commands.iter().map(String::as_str).collect::<Vec<_>>());
        there = count;
    };
    let points = beside(host, &LINKS, rounds, &mut set);
    set(0);
    points
}

fn beside(host: &Host, sizes: &[usize], rounds: usize, set: impl FnMut(usize)) -> Vec<Point> {
    let mut ways: Vec<Box<dyn Contender + '_>> =
        vec![Box::new(floor(Which::ALONE)), Box::new(InProcess::new(host, "measured"))];
    end_state::must_be_equal(&mut ways);
    sweep(sizes, rounds, set, |round| in_turn(round, &mut ways, play))
}

/// A floor on the first card.
pub(crate) fn floor(which: Which) -> Floor {
    Floor::new(which, Device::macvlan_on("card0", which), None)
}

fn play(contender: &mut (dyn Contender + '_)) -> Turn {
    let attach = timed(|| contender.attach());
    (attach, timed(|| contender.detach()))
}
