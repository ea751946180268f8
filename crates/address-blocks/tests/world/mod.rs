//! A small cluster in memory: an API server, hosts with a daemon and sandboxes, and a wire. The daemons are the real state machine; only
//! what is around them is played. Everything that may happen next is an [`Action`].

pub(crate) mod action;
pub(crate) mod fault;
pub(crate) mod host;
pub(crate) mod name;
pub(crate) mod scene;
pub(crate) mod search;
pub(crate) mod server;
pub(crate) mod walk;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use address_blocks::{Answer, Cell, Input, Reclaimer, Request};

pub(crate) use self::{action::Action, host::Host, scene::Scene, server::Server};
use self::{fault::DELAYED, host::Flight, scene::Fault};

/// What must never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// An address is in two places.
    Double(IpAddr),
    /// An address is given while it rests.
    Unrested(IpAddr),
}

/// All that there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) server: Server,
    /// An old copy of the server's data.
    pub(crate) backup: Option<Server>,
    /// What a cache of the server has, where reads are of it.
    pub(crate) cache: Option<Server>,
    pub(crate) hosts: Vec<Host>,
    /// Requests that nobody waits for any more and that may arrive still.
    pub(crate) delayed: Vec<(usize, Request)>,
    /// The elected one.
    pub(crate) reclaimer: Reclaimer,
    /// Addresses at rest after whoever had them, on the whole wire.
    pub(crate) rest: BTreeMap<IpAddr, u32>,
    pub(crate) faults: u8,
}

impl World {
    pub(crate) fn new(scene: &Scene) -> Self {
        let mut world = Self {
            server: Server::new(scene.owners()),
            backup: None,
            cache: None,
            hosts: Vec::new(),
            delayed: Vec::new(),
            reclaimer: scene.reclaimer(),
            rest: BTreeMap::new(),
            faults: scene.faults,
        };
        for at in 0..scene.settings.len() {
            world.hosts.push(Host::new(at < scene.wanting));
            world.start(scene, at);
        }
        if scene.begun {
            world.begin(scene);
        }
        for action in &scene.before {
            assert!(world.actions(scene).contains(action), "{action:?}");
            world.act(scene, action);
        }
        world
    }

    /// The first host takes a block, and the second is refused it.
    fn begin(&mut self, scene: &Scene) {
        use Action::{Arrive, Deliver, Tick, Wire};
        let own = [Arrive(0), Deliver(0)];
        let other = [Arrive(1), Deliver(1)];
        let steps = own
            .iter()
            .chain(&other)
            .chain(&[Tick])
            .chain(&own)
            .chain(&other)
            .chain(&[Tick, Wire(0)]);
        for step in steps {
            // Nobody asks it, or nobody waits for it.
            if matches!(step, Wire(0)) && self.hosts[0].wire.is_none() {
                continue;
            }
            assert!(self.actions(scene).contains(step), "{step:?}");
            self.act(scene, step);
        }
        assert!(self.actions(scene).iter().any(|action| matches!(action, Action::Attach(0, _))));
    }

    /// Everything that may happen next.
    pub(crate) fn actions(&self, scene: &Scene) -> Vec<Action> {
        let mut actions = action::of(self, scene);
        if self.faults > 0 && scene.may(Fault::Kill) {
            let dying = actions.iter().filter_map(Action::dying);
            let during: Vec<_> = dying.filter(|action| action.host() < scene.faulty).collect();
            actions.extend(during);
        }
        actions
    }

    /// Does it, and tells what it broke.
    pub(crate) fn act(&mut self, scene: &Scene, action: &Action) -> Option<Broken> {
        match action {
            Action::Arrive(at) => self.arrive(scene, *at),
            Action::Deliver(at) => self.deliver(scene, *at),
            Action::Lose(at) => self.lose(scene, *at),
            Action::Late(index) => {
                let (at, request) = self.delayed.remove(*index);
                let at = (at < self.hosts.len()).then_some(at);
                self.server.answer(scene, at, &request);
            }
            Action::Vanish(index) => {
                self.delayed.remove(*index);
            }
            Action::Watch(at, cell) => self.watch(scene, *at, *cell),
            Action::Wire(at) => {
                if let Some((cell, uid, answered)) = self.hosts[*at].wire.take() {
                    self.tell(scene, *at, Input::Wire { cell, uid, answered });
                }
            }
            Action::Notice(at) => self.notice(scene, *at),
            Action::Start(at) => self.start(scene, *at),
            Action::Want(at) => self.want(scene, *at),
            Action::Attach(at, address) => return self.attach(scene, *at, *address),
            Action::Detach(at, address) => self.detach(scene, *at, *address),
            Action::Tick => self.tick(scene),
            Action::CacheFollows => {
                self.cache = None;
                self.hosts.iter_mut().for_each(|host| host.behind = false);
            }
            Action::Register(at) => {
                self.server.nodes.insert(scene.settings[*at].owner.clone());
            }
            Action::Heal(at) => self.hosts[*at].cut = false,
            Action::Restore => self.restore(scene),
            Action::DieDuring(action, commands) => {
                self.faults -= 1;
                self.hosts[action.host()].dies_after = Some(*commands);
                let broken = self.act(scene, action);
                self.kill(action.host());
                return broken;
            }
            Action::Fault(fault, at) => self.fault(scene, *fault, *at),
        }
        None
    }

    fn arrive(&mut self, scene: &Scene, at: usize) {
        let flight = std::mem::replace(&mut self.hosts[at].flight, Flight::None);
        let Flight::Asked(request) = flight else { return };
        let stale = self.cache.as_mut().filter(|_| matches!(request, Request::Read));
        self.hosts[at].behind = stale.is_some();
        let answer = stale.unwrap_or(&mut self.server).answer(scene, Some(at), &request);
        self.hosts[at].flight = Flight::Answered(answer);
    }

    fn deliver(&mut self, scene: &Scene, at: usize) {
        if let Flight::Answered(answer) =
            std::mem::replace(&mut self.hosts[at].flight, Flight::None)
        {
            self.tell(scene, at, Input::Answer(answer));
        }
    }

    fn lose(&mut self, scene: &Scene, at: usize) {
        self.faults -= 1;
        let flight = std::mem::replace(&mut self.hosts[at].flight, Flight::None);
        self.leave(at, flight);
        self.tell(scene, at, Input::Answer(Answer::Lost));
    }

    fn watch(&mut self, scene: &Scene, at: usize, cell: Cell) {
        let node = &scene.settings[at].owner.node;
        let now = self.server.objects.get(&cell).filter(|object| object.owner.node == *node);
        let input = if let Some(object) = now {
            Input::Changed(object.clone())
        } else {
            let daemon = self.hosts[at].daemon.as_ref().unwrap();
            let (cell, uid, _) = daemon.known().find(|known| known.0 == cell).unwrap();
            Input::Gone { cell, uid }
        };
        self.tell(scene, at, input);
    }

    fn notice(&mut self, scene: &Scene, at: usize) {
        let flight = std::mem::replace(&mut self.hosts[at].flight, Flight::None);
        self.leave(at, flight);
        self.hosts[at].noticed = true;
        self.tell(scene, at, Input::Severed);
    }

    fn attach(&mut self, scene: &Scene, at: usize, address: IpAddr) -> Option<Broken> {
        let elsewhere = self.hosts.iter().any(|host| host.pods.contains(&address));
        self.hosts[at].pods.insert(address);
        self.hosts[at].leases.begin(address);
        let unrested = self.rest.remove(&address).is_some();
        self.tell_leases(scene, at);
        if elsewhere {
            return Some(Broken::Double(address));
        }
        unrested.then_some(Broken::Unrested(address))
    }

    fn detach(&mut self, scene: &Scene, at: usize, address: IpAddr) {
        self.hosts[at].pods.remove(&address);
        self.hosts[at].leases.end(address, if scene.rests { scene.rest } else { 0 });
        if scene.rest > 0 {
            self.rest.insert(address, scene.rest);
        }
        self.tell_leases(scene, at);
    }

    /// A daemon may hear at once of what is given and given back, or once in a while.
    fn tell_leases(&mut self, scene: &Scene, at: usize) {
        if scene.tells_leases {
            let leases = self.hosts[at].leases.clone();
            self.tell(scene, at, Input::Leases(leases));
        }
    }

    fn tick(&mut self, scene: &Scene) {
        self.rest.retain(|_, left| {
            *left -= 1;
            *left > 0
        });
        for at in 0..self.hosts.len() {
            let host = &mut self.hosts[at];
            host.leases.pass(1);
            if let Some(file) = &mut host.file {
                file.pass(1);
            }
            let behind = host.daemon.as_ref().is_some_and(|daemon| !daemon.follows());
            host.late = u8::from(behind && !host.cut);
            let connected = !host.cut;
            self.tell(scene, at, Input::Elapsed(1));
            if connected {
                self.tell(scene, at, Input::Heard(0));
            }
            let leases = self.hosts[at].leases.clone();
            self.tell(scene, at, Input::Leases(leases));
        }
        let blocks: Vec<_> = self.server.objects.values().cloned().collect();
        for request in self.reclaimer.look(1, &blocks, &self.server.nodes, &BTreeSet::new()) {
            // One at a time.
            let known = self.delayed.iter().any(|(at, _)| *at == self.hosts.len());
            if !known && self.delayed.len() < DELAYED {
                self.delayed.push((self.hosts.len(), request));
                self.delayed.sort();
            }
        }
    }
}
