//! vfhook is killed before and after every step and every write, on real VFs, and whoever comes next sets it right: the next hook,
//! `vfhook reconcile`, the start of `vfhook serve`, some of them killed too. Moments are counted, not listed, so that what is added to a
//! plan is killed here without anybody's doing. Then errors that a machine really has. Nothing may be left of any of it.

mod errors;
mod provisioning;
mod refusals;
mod scene;

use std::time::{Duration, Instant};

use crate::faults::{DATA_FILE, Figures, Shape as Tally};
use crate::guest::command::cmd;
use crate::guest::dice::Dice;
use crate::guest::failure::Failure;
use crate::guest::{Guest, kill_point, save};
use crate::verdict::FIGURES_FILE;

use self::scene::{Act, Next, SHAPES, Shape};
use super::Scenario;

pub(crate) const FAULTS_FULL: &str = "faults_full";

pub(super) const SAMPLE: Scenario =
    Scenario::new("faults", 400, "killed at some steps and writes, and set right", |guest| {
        run(guest, Extent::Sample(Duration::from_secs(20)))
    })
    .prepared(scene::prepare)
    .vfs(4, 0);
pub(super) const FULL: Scenario =
    Scenario::new(FAULTS_FULL, 7200, "killed at every step and write, and set right", |guest| {
        run(guest, Extent::Everything)
    })
    .prepared(scene::prepare)
    .by_name()
    .vfs(4, 0);

/// How much of it.
#[derive(Debug, Clone, Copy)]
enum Extent {
    /// What there is time for, by lot.
    Sample(Duration),
    Everything,
}

/// The whole host is compared after so many: it takes longer than they do, and what is left stays until it is looked at.
const EACH: u32 = 4;
/// Of those who come next, every so many-th is killed too.
const AGAIN: u32 = 3;
/// No shape has more moments; lots are drawn from these until it is known better.
const MOMENTS: u32 = 110;

/// What is under way.
struct Work<'a> {
    guest: &'a mut Guest,
    figures: Figures,
    dice: Dice,
    since_compared: u32,
    /// Moments that each shape has at most, there and back.
    most: [[u32; 2]; SHAPES.len()],
    /// What the sandbox has when nothing goes wrong.
    whole: Vec<String>,
}

fn run(guest: &mut Guest, extent: Extent) -> Result<(), Failure> {
    let knows = kill_point::is_in_the_release()?;
    guest.check("no release can be made to die", !knows, "it knows the variable")?;
    let seed = guest.seed;
    let date = cmd("date -u +%F").ok()?.text().to_owned();
    let figures = Figures { date, seed, ..Figures::default() };
    let mut work = Work {
        guest,
        figures,
        dice: Dice::new(seed),
        since_compared: 0,
        most: [[MOMENTS; 2]; SHAPES.len()],
        whole: Vec::new(),
    };
    let done = work.everything(extent);
    keep(&work.figures)?;
    done
}

fn keep(figures: &Figures) -> Result<(), Failure> {
    save(FIGURES_FILE, &figures.text())?;
    let data = serde_json::to_string_pretty(figures)
        .map_err(|error| Failure::unmet("the figures can be written as JSON", error))?;
    save(DATA_FILE, &data)
}

impl Work<'_> {
    fn everything(&mut self, extent: Extent) -> Result<(), Failure> {
        self.guest.step(&format!("kill vfhook, {extent:?}, seed {}", self.figures.seed));
        let named = |shape: &Shape| Tally { name: shape.name.into(), ..Tally::default() };
        self.figures.shapes = SHAPES.iter().map(named).collect();
        match extent {
            Extent::Everything => {
                for (position, shape) in SHAPES.iter().enumerate() {
                    self.guest.step(&format!("every moment of {}", shape.name));
                    let mut at = 1;
                    while self.cycle(position, [at; 2])? {
                        at += 1;
                    }
                    self.compare()?;
                }
                refusals::all(self)?;
            }
            Extent::Sample(limit) => {
                let begun = Instant::now();
                let mut position = 0;
                while begun.elapsed() < limit {
                    let at = self.most[position].map(|most| self.dice.number(most));
                    self.cycle(position, at)?;
                    position = (position + 1) % SHAPES.len();
                }
                self.compare()?;
                refusals::some(self, limit)?;
            }
        }
        self.figures.errors = errors::run(self.guest)?;
        let taken_apart = match extent {
            Extent::Everything => {
                provisioning::every_moment(self)?;
                errors::TAKEN_APART.to_vec()
            }
            // Making VFs takes seconds.
            Extent::Sample(_) => {
                provisioning::one_moment(self)?;
                self.dice.one_of(&errors::TAKEN_APART).into_iter().collect()
            }
        };
        for (name, take) in taken_apart {
            self.figures.errors.push(errors::taken_apart(self.guest, name, take)?);
        }
        scene::usual()
    }

    /// Killed on the way there and on the way back, each time set right; whether there was such a moment on either.
    fn cycle(&mut self, position: usize, at: [u32; 2]) -> Result<bool, Failure> {
        let Some(shape) = SHAPES.get(position) else { return Ok(false) };
        let mut died = [false; 2];
        for (way, act) in [Act::Attach, Act::Detach].into_iter().enumerate() {
            died[way] = self.kill(shape, act, at[way])?;
            scene::command(shape, act).ok()?;
            if !died[way] {
                self.most[position][way] = at[way].saturating_sub(1).max(1);
            }
        }
        if let Some(tally) = self.figures.shapes.get_mut(position) {
            tally.attaching += u32::from(died[0]);
            tally.taking_back += u32::from(died[1]);
        }
        self.one_more()?;
        Ok(died.contains(&true))
    }

    /// Kills `act` at that moment and lets somebody set it right; whether there was such a moment.
    fn kill(&mut self, shape: &Shape, act: Act, at: u32) -> Result<bool, Failure> {
        let moment = kill_point::kill(scene::doomed(shape, act), at)?;
        let next = self.dice.one_of(&Next::ALL).unwrap_or(Next::Reconcile);
        let tell = |failure| {
            Failure::unmet(
                format!("{}: {act:?} died {moment:?}, then {next:?} sets it right", shape.name),
                failure,
            )
        };
        let mut died = false;
        if self.dice.one_in(AGAIN) {
            let again = self.dice.number(MOMENTS / 3);
            died = scene::recover_doomed(shape, next, again).map_err(tell)?;
            self.figures.killed_again += u32::from(died);
        }
        scene::recover(shape, next).map_err(tell)?;
        self.figures.recoveries += u32::from(moment.is_some()) + u32::from(died);
        Ok(moment.is_some())
    }

    /// One more thing was done that leaves nothing; looks whether that is so, now and then.
    fn one_more(&mut self) -> Result<(), Failure> {
        self.since_compared += 1;
        if self.since_compared < EACH { Ok(()) } else { self.compare() }
    }

    /// The whole host must be as it was.
    fn compare(&mut self) -> Result<(), Failure> {
        self.since_compared = 0;
        self.figures.comparisons += 1;
        let compared = self.guest.is_as_before().inspect_err(|_| self.figures.traces += 1);
        // What was done is known even if there is no time for the rest.
        keep(&self.figures)?;
        compared
    }
}
