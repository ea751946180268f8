//! Provisioning is killed at each of its moments, from none to some VFs and from some to another number. The next one makes what the
//! configuration says.

use std::fs;

use crate::faults::Shape as Tally;
use crate::guest::card::Pf;
use crate::guest::command::cmd;
use crate::guest::failure::Failure;
use crate::guest::{configure, confined, kill_point, vfhook};

use super::{Work, scene};

/// From one number to the next; the last is what was there before.
const NUMBERS: [u32; 3] = [2, 1, 0];
/// About as many as there are.
const MOMENTS: u32 = 12;

fn config(count: u32) -> String {
    format!(
        "version = 1\n\n[[pool]]\nname = \"made\"\nkind = \"sriov\"\npf = [\"ens2f0\"]\nnum_vfs = {count}\n"
    )
}

/// The same with a network on it.
pub(super) fn with_network(count: u32) -> Result<(), Failure> {
    let network = "[[network]]\nname = \"storage\"\npool = \"made\"\ninterface = \"net1\"\naddresses = [\"192.168.0.16-192.168.0.250/24\"]\n";
    configure(&format!("{}\n{network}", config(count)))
}

pub(super) fn every_moment(work: &mut Work) -> Result<(), Failure> {
    let mut tally = Tally::default();
    let mut at = 1;
    while one(work, at, &mut tally)? {
        at += 1;
    }
    end(work, tally)
}

/// One of them, by lot: making VFs takes seconds.
pub(super) fn one_moment(work: &mut Work) -> Result<(), Failure> {
    let mut tally = Tally::default();
    let at = work.dice.number(MOMENTS);
    one(work, at, &mut tally)?;
    end(work, tally)
}

fn end(work: &mut Work, mut tally: Tally) -> Result<(), Failure> {
    tally.name = "provisioning".into();
    scene::usual()?;
    work.figures.shapes.push(tally);
    work.guest.settle()?;
    work.compare()
}

/// Whether there was such a moment on the way to any number.
fn one(work: &mut Work, at: u32, tally: &mut Tally) -> Result<bool, Failure> {
    work.guest.step(&format!("kill vfhook provision at its moment {at}"));
    let mut any = false;
    for count in NUMBERS {
        configure(&config(count))?;
        let died =
            kill_point::kill(cmd(&format!("{} provision", confined(kill_point::PROGRAM))), at)?;
        vfhook("provision").ok()?;
        let path = Pf::all()[1].sysfs().join("sriov_numvfs");
        let number = fs::read_to_string(&path).map_err(Failure::file("read", &path))?;
        work.guest.check("the card has that many", number.trim() == count.to_string(), number)?;
        work.figures.recoveries += u32::from(died.is_some());
        let there = if count == 0 { &mut tally.taking_back } else { &mut tally.attaching };
        *there += u32::from(died.is_some());
        any |= died.is_some();
    }
    Ok(any)
}
