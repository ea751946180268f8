//! Thirty pods on seven VFs for minutes: run, stopped, killed and removed at random by several hands, while vfhook and containerd are
//! killed and come back. No container ever runs without its VF; in the end the host is as it was.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::guest::command::{cmd, eventually};
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::cri::{Cri, Pod};
use crate::guest::dice::Dice;
use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::serve::Serve;
use crate::guest::{Guest, configure, vfhook};

use super::containerd_scene::{self as scene, Running, asking};

use super::{CONFIG, Scenario};

pub(super) const ONE: Scenario = Scenario::new(
    "containerd1_churn",
    600,
    "containerd 1.7: 30 pods, 7 VFs, 5 minutes, daemons killed",
    |guest| run(guest, Edition::One, LONG),
)
.prepared(|guest| prepare(guest, Edition::One))
.by_name()
.on_two_processors()
.vfs(7, 0);
pub(super) const TWO: Scenario = Scenario::new(
    "containerd2_churn",
    600,
    "containerd 2: 30 pods, 7 VFs, 5 minutes, daemons killed",
    |guest| run(guest, Edition::Two, LONG),
)
.prepared(|guest| prepare(guest, Edition::Two))
.by_name()
.on_two_processors()
.vfs(7, 0);
/// What there is time for each time.
pub(super) const SHORT: Scenario =
    Scenario::new("containerd_churn", 400, "containerd 2: the same for 60 seconds", |guest| {
        run(guest, Edition::Two, Duration::from_secs(60))
    })
    .prepared(|guest| prepare(guest, Edition::Two))
    .on_two_processors()
    .vfs(7, 0);

const LONG: Duration = Duration::from_secs(300);
const PODS: usize = 30;
/// kubelet works on pods side by side; with more hands than this the emulated machine does no more.
const HANDS: usize = 3;
/// How long a hand waits when a daemon does not answer.
const WHILE_DEAD: Duration = Duration::from_millis(500);
/// How often a daemon is killed.
const CALAMITY: Duration = Duration::from_secs(15);

/// A pod's place among the thirty.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Empty,
    /// Its sandbox runs, and its container was refused.
    Waiting(Pod, String),
    /// It runs, and had its VF.
    Running(Running),
    /// It could not be stopped or removed yet.
    Ending(String),
}

/// What the hands share.
#[derive(Debug, Default)]
struct Floor {
    /// Held for reading by whoever works on a pod, for writing by who clears away what nobody knows.
    calls: RwLock<()>,
    /// Sandboxes that a hand knows of.
    known: Mutex<BTreeSet<String>>,
}

impl Floor {
    fn known(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the sandboxes that a call made which was cut short before it told of them.
    fn clear(&self, cri: Cri) -> Result<(), Failure> {
        let _alone = self.calls.write().unwrap_or_else(PoisonError::into_inner);
        for sandbox in cri.pods()?.iter().filter(|sandbox| !self.known().contains(*sandbox)) {
            cri.stop_pod(sandbox)?;
            cri.remove_pod(sandbox)?;
        }
        Ok(())
    }
}

/// What happened, to be told.
#[derive(Debug, Default)]
struct Tally {
    run: u32,
    refused: u32,
    removed: u32,
    interrupted: u32,
}

fn prepare(_: &mut Guest, edition: Edition) -> Result<(), Failure> {
    configure(CONFIG)?;
    Containerd::handle(edition).prepare(PodNetwork::Ptp)?;
    Serve::handle().start()
}

fn run(guest: &mut Guest, edition: Edition, time: Duration) -> Result<(), Failure> {
    let containerd = Containerd::handle(edition);
    let seed = guest.seed;
    guest.step(&format!("{} s of coming and going, seed {seed}", time.as_secs()));
    let until = Instant::now() + time;
    let floor = Floor::default();
    let (tallies, killed) = thread::scope(|scope| {
        let hand = |number| Hand::new(containerd.cri, &floor, number, seed);
        let hands: Vec<_> =
            (0..HANDS).map(hand).map(|hand| scope.spawn(move || hand.work(until))).collect();
        let killed = calamities(containerd, &floor, Dice::new(seed), until);
        (hands.into_iter().map(join).collect::<Vec<_>>(), killed)
    });
    judge(guest, &tallies.into_iter().collect::<Result<Vec<_>, _>>()?, killed?, time)?;
    guest.step("all pods go");
    scene::remove_all(containerd.cri)?;
    // A containerd that is killed between a namespace and the file that it is mounted upon knows of neither, and leaves the file.
    let files = "for file in /run/netns/cni-*; do [ ! -e \"$file\" ] || grep -qF \" $file \" /proc/self/mountinfo || rm \"$file\"; done";
    cmd("sh -c").arg(files).ok()?;
    eventually("no lease", 60, || {
        let status = vfhook("status --json").ok()?.json()?;
        match status["leases"].as_array() {
            Some(leases) if leases.is_empty() => Ok(()),
            _ => Err(Failure::unmet("there is none", &status)),
        }
    })
}

fn judge(guest: &mut Guest, tallies: &[Tally], killed: u32, time: Duration) -> Result<(), Failure> {
    let sum = |of: fn(&Tally) -> u32| tallies.iter().map(of).sum::<u32>();
    let (run, refused) = (sum(|tally| tally.run), sum(|tally| tally.refused));
    let (removed, interrupted) = (sum(|tally| tally.removed), sum(|tally| tally.interrupted));
    let told = format!(
        "{run} pods had a VF, {refused} found none free, {removed} were removed, {interrupted} calls met a dead daemon, \
         {killed} daemons were killed"
    );
    guest.step(&told);
    if time < LONG {
        // How much there is time for is the machine's affair.
        return guest.check("something has happened", run > 2 && killed > 1, &told);
    }
    guest.check("much has happened", run > 7 && removed > 7 && killed > 4, &told)?;
    guest.check("at times there was no VF left", refused > 0, &told)
}

fn join<T>(hand: thread::ScopedJoinHandle<Result<T, Failure>>) -> Result<T, Failure> {
    hand.join().unwrap_or_else(|_| Err(Failure::unmet("a hand works to the end", "it panicked")))
}

/// Kills a daemon now and then and brings it back; then clears away pods that a call cut short left to nobody. How often.
fn calamities(
    containerd: Containerd,
    floor: &Floor,
    mut dice: Dice,
    until: Instant,
) -> Result<u32, Failure> {
    let serve = Serve::handle();
    let mut killed = 0;
    while Instant::now() + CALAMITY < until {
        thread::sleep(CALAMITY);
        if dice.one_in(3) {
            containerd.kill()?;
            containerd.start()?;
        } else {
            serve.kill()?;
            serve.start()?;
        }
        killed += 1;
        floor.clear(containerd.cri)?;
    }
    Ok(killed)
}

/// One of those who lead pods through their lives, each its own.
struct Hand<'a> {
    cri: Cri,
    floor: &'a Floor,
    number: usize,
    dice: Dice,
    places: Vec<Place>,
    /// No sandbox's name is used twice: a record of it may be left.
    count: u32,
    tally: Tally,
}

impl<'a> Hand<'a> {
    fn new(cri: Cri, floor: &'a Floor, number: usize, seed: u64) -> Self {
        let places = (0..PODS / HANDS).map(|_| Place::Empty).collect();
        let dice = Dice::new(seed.wrapping_mul(31).wrapping_add(number as u64));
        Self { cri, floor, number, dice, places, count: 0, tally: Tally::default() }
    }

    fn work(mut self, until: Instant) -> Result<Tally, Failure> {
        while Instant::now() < until {
            let _here = self.floor.calls.read().unwrap_or_else(PoisonError::into_inner);
            let chosen = self.dice.index(self.places.len());
            let place = self.places.get_mut(chosen).map(std::mem::take).unwrap_or_default();
            let next = match place {
                Place::Empty => self.run()?,
                Place::Ending(sandbox) => self.remove(sandbox),
                Place::Waiting(_, sandbox) if self.dice.one_in(4) => self.remove(sandbox),
                Place::Waiting(pod, sandbox) => self.fill(pod, sandbox)?,
                Place::Running(pod) => self.end(pod)?,
            };
            if let Some(place) = self.places.get_mut(chosen) {
                *place = next;
            }
        }
        Ok(self.tally)
    }

    fn run(&mut self) -> Result<Place, Failure> {
        self.count += 1;
        let pod = asking(&format!("pod-{}-{}", self.number, self.count), "storage");
        match self.cri.run_pod(&pod) {
            Ok(sandbox) => {
                self.floor.known().insert(sandbox.clone());
                self.fill(pod, sandbox)
            }
            Err(failure) => {
                self.note(&failure);
                Ok(Place::Empty)
            }
        }
    }

    fn fill(&mut self, pod: Pod, sandbox: String) -> Result<Place, Failure> {
        match scene::fill(self.cri, &pod, sandbox.clone()) {
            Ok(running) => {
                // The one thing that must never be otherwise.
                interface::pci_of(&running.place, "net1")?;
                self.tally.run += 1;
                Ok(Place::Running(running))
            }
            Err(failure) => {
                self.note(&failure);
                Ok(Place::Waiting(pod, sandbox))
            }
        }
    }

    fn end(&mut self, pod: Running) -> Result<Place, Failure> {
        if self.dice.one_in(4) {
            interface::pci_of(&pod.place, "net1")?;
            return Ok(Place::Running(pod));
        }
        if self.dice.one_in(3) {
            if let crate::guest::place::Place::Process(pid) = pod.place {
                cmd(&format!("kill -KILL {pid}")).ok()?;
            }
        }
        Ok(self.remove(pod.sandbox))
    }

    /// Stops and removes; what a dead daemon keeps from it is tried again when the place is chosen again.
    fn remove(&mut self, sandbox: String) -> Place {
        match self.cri.stop_pod(&sandbox).and_then(|()| self.cri.remove_pod(&sandbox)) {
            Ok(()) => {
                self.floor.known().remove(&sandbox);
                self.tally.removed += 1;
                Place::Empty
            }
            Err(failure) => {
                self.note(&failure);
                Place::Ending(sandbox)
            }
        }
    }

    fn note(&mut self, failure: &Failure) {
        if failure.to_string().contains("no free VF") {
            self.tally.refused += 1;
        } else {
            self.tally.interrupted += 1;
            thread::sleep(WHILE_DEAD);
        }
    }
}
