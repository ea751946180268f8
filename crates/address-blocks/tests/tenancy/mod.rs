//! Two nodes, one reservation, an API server, a wire, and the elected one that empties what owners left.

pub(crate) mod host;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use address_blocks::{Attempt, Owner, Reservation, Tenant, Todo, Told, Uid, Version};

use self::host::{Flight, Host};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Kill,
    Cut,
    DeleteNode,
    LoseAnswer,
    /// The machine does not know any more that its sandbox has the address.
    LoseRecord,
    CutWire,
}

#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) kinds: Vec<Fault>,
    pub(crate) faults: u8,
    /// How long an attempt may take.
    pub(crate) limit: u32,
    pub(crate) versions: bool,
    pub(crate) asks_wire: bool,
    pub(crate) writes_again: bool,
}

/// How long an owner must be gone.
const GONE: u8 = 2;

impl Default for Scene {
    fn default() -> Self {
        let kinds = Vec::new();
        Self { kinds, faults: 0, limit: 1, versions: true, asks_wire: true, writes_again: true }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Attach(usize),
    Detach(usize),
    /// A machine without the address leaves what may be written in its name.
    Collect(usize),
    Arrive(usize),
    Deliver(usize),
    Wire(usize),
    Late(usize),
    Vanish(usize),
    Heal(usize),
    Register(usize),
    Tick,
    Fault(Fault, usize),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct World {
    tenant: Option<Tenant>,
    version: Version,
    hosts: Vec<Host>,
    /// Writes that nobody waits for.
    delayed: Vec<(Version, Option<Tenant>)>,
    /// Which state has had no owner, and for how long.
    unowned: Option<(Version, u8)>,
    faults: u8,
}

/// What a search came to.
#[derive(Debug)]
pub(crate) struct Searched {
    pub(crate) double: Option<Vec<Action>>,
    pub(crate) states: usize,
    /// States from which the address never becomes free.
    pub(crate) stuck: usize,
}

pub(crate) fn search(scene: &Scene) -> Searched {
    let first = World::new(scene);
    let mut seen = BTreeMap::from([(first.clone(), 0)]);
    let mut met: Vec<(usize, Option<Action>)> = vec![(0, None)];
    let mut back: Vec<Vec<usize>> = vec![Vec::new()];
    let mut free = Vec::new();
    let mut queue = VecDeque::from([(0, first)]);
    while let Some((at, world)) = queue.pop_front() {
        if world.tenant.is_none() && world.hosts.iter().all(|host| !host.has) {
            free.push(at);
        }
        for action in world.actions(scene) {
            let mut next = world.clone();
            next.act(scene, &action);
            if next.hosts.iter().all(|host| host.has) {
                let mut steps = vec![action];
                let mut at = at;
                while let (from, Some(by)) = &met[at] {
                    steps.push(by.clone());
                    at = *from;
                }
                steps.reverse();
                return Searched { double: Some(steps), states: met.len(), stuck: 0 };
            }
            next.rank();
            let index = *seen.entry(next.clone()).or_insert_with(|| {
                met.push((at, Some(action)));
                back.push(Vec::new());
                queue.push_back((met.len() - 1, next));
                met.len() - 1
            });
            back[index].push(at);
        }
    }
    let mut leads = vec![false; met.len()];
    while let Some(at) = free.pop() {
        if !std::mem::replace(&mut leads[at], true) {
            free.extend(&back[at]);
        }
    }
    let stuck = leads.iter().filter(|leads| !**leads).count();
    Searched { double: None, states: met.len(), stuck }
}

impl World {
    fn new(scene: &Scene) -> Self {
        let hosts = vec![Host::default(); 2];
        let (delayed, faults) = (Vec::new(), scene.faults);
        Self { tenant: None, version: Version(1), hosts, delayed, unowned: None, faults }
    }

    fn actions(&self, scene: &Scene) -> Vec<Action> {
        let mut actions = vec![Action::Tick];
        for (at, host) in self.hosts.iter().enumerate() {
            let mut may = |if_so: bool, action| actions.extend(if_so.then_some(action));
            let idle = host.attempt.is_none();
            may(idle && !host.has, Action::Attach(at));
            may(idle && !host.has, Action::Collect(at));
            may(idle && host.has, Action::Detach(at));
            may(!host.cut && matches!(host.flight, Flight::Asked(_)), Action::Arrive(at));
            may(!host.cut && matches!(host.flight, Flight::Answered(_)), Action::Deliver(at));
            may(host.wire.is_some(), Action::Wire(at));
            may(host.cut, Action::Heal(at));
            may(host.is_gone, Action::Register(at));
            // Both are alike: which of them has the only fault is the same.
            let faulty = self.faults > 0 && (at == 0 || scene.faults > 1);
            for fault in scene.kinds.iter().filter(|_| faulty) {
                let makes_sense = match fault {
                    Fault::Kill => !idle,
                    Fault::Cut => !host.cut,
                    Fault::CutWire => !host.wire_cut,
                    Fault::DeleteNode => !host.is_gone,
                    Fault::LoseAnswer => host.flight != Flight::None,
                    Fault::LoseRecord => host.has && host.knows,
                };
                may(makes_sense, Action::Fault(*fault, at));
            }
        }
        for index in 0..self.delayed.len() {
            actions.extend([Action::Late(index), Action::Vanish(index)]);
        }
        actions
    }

    fn act(&mut self, scene: &Scene, action: &Action) {
        match *action {
            Action::Attach(at) => {
                let (attempt, todo) = Attempt::to_take(tenant(at), scene.limit);
                self.begin(scene, at, attempt, todo);
            }
            Action::Detach(at) => {
                (self.hosts[at].has, self.hosts[at].knows) = (false, false);
                self.leave(scene, at);
            }
            Action::Collect(at) => self.leave(scene, at),
            Action::Arrive(at) => self.arrive(scene, at),
            Action::Deliver(at) => {
                let flight = std::mem::replace(&mut self.hosts[at].flight, Flight::None);
                if let Flight::Answered(told) = flight {
                    self.tell(scene, at, told);
                }
            }
            Action::Wire(at) => {
                if let Some(answered) = self.hosts[at].wire.take() {
                    self.tell(scene, at, Told::Wire(answered));
                }
            }
            Action::Late(index) => {
                let (version, tenant) = self.delayed.remove(index);
                self.write(scene, version, tenant);
            }
            Action::Vanish(index) => {
                self.delayed.remove(index);
            }
            Action::Heal(at) => self.hosts[at].cut = false,
            Action::Register(at) => self.hosts[at].is_gone = false,
            Action::Tick => self.tick(scene),
            Action::Fault(fault, at) => self.fault(scene, fault, at),
        }
    }

    fn fault(&mut self, scene: &Scene, fault: Fault, at: usize) {
        self.faults -= 1;
        let host = &mut self.hosts[at];
        match fault {
            Fault::Kill => self.end(at),
            Fault::Cut => host.cut = true,
            // From the API server, too: the card is off.
            Fault::CutWire => (host.wire_cut, host.cut) = (true, true),
            Fault::DeleteNode => host.is_gone = true,
            Fault::LoseRecord => host.knows = false,
            Fault::LoseAnswer => {
                self.leave_flight(at);
                self.tell(scene, at, Told::Lost);
            }
        }
    }

    fn arrive(&mut self, scene: &Scene, at: usize) {
        let flight = std::mem::replace(&mut self.hosts[at].flight, Flight::None);
        let told = if let Flight::Asked(Todo::Write { version, tenant, .. }) = flight {
            if self.write(scene, version, tenant) { Told::Written } else { Told::Conflict }
        } else {
            let (version, tenant) = (self.version, self.tenant.clone());
            Told::Read(Some(Reservation { uid: Uid(1), version, tenant }))
        };
        self.hosts[at].flight = Flight::Answered(told);
    }

    fn write(&mut self, scene: &Scene, version: Version, tenant: Option<Tenant>) -> bool {
        let right = version == self.version || !scene.versions;
        if right {
            self.version.0 += 1;
            self.tenant = tenant;
        }
        right
    }

    fn tick(&mut self, scene: &Scene) {
        for at in 0..self.hosts.len() {
            if self.hosts[at].attempt.is_some() {
                self.tell(scene, at, Told::Elapsed(1));
            }
        }
        let is_gone = |tenant: &Tenant| self.hosts[place(tenant)].is_gone;
        if !self.tenant.as_ref().is_some_and(is_gone) {
            self.unowned = None;
            return;
        }
        let since = self.unowned.filter(|(version, _)| *version == self.version);
        let (_, ticks) = since.unwrap_or((self.version, 0));
        self.unowned = Some((self.version, (ticks + 1).min(GONE)));
        let empty = (self.version, None);
        if ticks + 1 >= GONE && self.delayed.len() < 2 && !self.delayed.contains(&empty) {
            self.delayed.push(empty);
        }
    }

    /// Versions by their rank.
    fn rank(&mut self) {
        let mut versions = Vec::new();
        self.versions(&mut |version| versions.push(*version));
        versions.sort_unstable();
        versions.dedup();
        self.versions(&mut |version| {
            version.0 = 1 + versions.binary_search(version).map_or(0, |at| at as u64);
        });
        self.delayed.sort();
    }

    fn versions(&mut self, each: &mut dyn FnMut(&mut Version)) {
        each(&mut self.version);
        self.delayed.iter_mut().for_each(|(version, _)| each(version));
        if let Some((version, _)) = &mut self.unowned {
            each(version);
        }
        for host in &mut self.hosts {
            match &mut host.flight {
                Flight::Asked(Todo::Write { version, .. }) => each(version),
                Flight::Answered(Told::Read(Some(seen))) => each(&mut seen.version),
                _ => {}
            }
        }
    }
}

fn tenant(at: usize) -> Tenant {
    let owner = Owner { node: format!("{at}").into(), machine: "".into() };
    Tenant { owner, pod: Arc::from("pod") }
}

fn place(tenant: &Tenant) -> usize {
    tenant.owner.node.parse().unwrap()
}
