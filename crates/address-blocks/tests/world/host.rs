//! One machine: its daemon, what that published, and the sandboxes that were given addresses by it.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use address_blocks::{Answer, Cell, Command, Grant, Holder, Input, Leases, Need, Request, Uid};

use super::{World, scene::Scene};

/// How far the daemon's request is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Flight {
    None,
    Asked(Request),
    Answered(Answer),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each may be without the others")]
pub(crate) struct Host {
    pub(crate) daemon: Option<Holder>,
    /// What is published.
    pub(crate) file: Option<Grant>,
    /// What is recorded of sandboxes.
    pub(crate) leases: Leases,
    /// What sandboxes have, recorded or not.
    pub(crate) pods: BTreeSet<IpAddr>,
    pub(crate) flight: Flight,
    /// A question to the wire, and who answered.
    pub(crate) wire: Option<(Cell, Uid, BTreeSet<IpAddr>)>,
    /// From the API server.
    pub(crate) cut: bool,
    /// Whether the daemon knows that.
    pub(crate) noticed: bool,
    pub(crate) wire_cut: bool,
    pub(crate) wants: bool,
    /// Ticks without following its blocks, though it could.
    pub(crate) late: u8,
    /// Whether what it follows is a cache that is behind.
    pub(crate) behind: bool,
    /// The daemon dies when so many commands are carried out.
    pub(crate) dies_after: Option<usize>,
}

impl Host {
    pub(crate) fn new(wants: bool) -> Self {
        Self {
            daemon: None,
            file: None,
            leases: Leases::default(),
            pods: BTreeSet::new(),
            flight: Flight::None,
            wire: None,
            cut: false,
            noticed: false,
            wire_cut: false,
            wants,
            late: 0,
            behind: false,
            dies_after: None,
        }
    }
}

impl World {
    /// Starts a daemon.
    pub(crate) fn start(&mut self, scene: &Scene, at: usize) {
        let host = &self.hosts[at];
        let setting = Arc::clone(&scene.settings[at]);
        let (holder, commands) =
            Holder::start(setting, host.file.clone(), host.leases.clone(), need(host.wants));
        self.hosts[at].daemon = Some(holder);
        self.carry_out(scene, at, commands);
    }

    pub(crate) fn want(&mut self, scene: &Scene, at: usize) {
        self.hosts[at].wants = !self.hosts[at].wants;
        let need = need(self.hosts[at].wants);
        self.tell(scene, at, Input::Need(need));
    }

    /// Tells the daemon, if it lives, and does what it says.
    pub(crate) fn tell(&mut self, scene: &Scene, at: usize, input: Input) {
        let Some(daemon) = &mut self.hosts[at].daemon else { return };
        let commands = daemon.step(input);
        self.carry_out(scene, at, commands);
    }

    fn carry_out(&mut self, scene: &Scene, at: usize, commands: Vec<Command>) {
        for command in commands {
            match &mut self.hosts[at].dies_after {
                Some(0) => return,
                Some(left) => *left -= 1,
                None => {}
            }
            match command {
                Command::Publish(grant) => self.hosts[at].file = Some((*grant).clone()),
                Command::Look => {
                    let leases = self.hosts[at].leases.clone();
                    self.tell(scene, at, Input::Leases(leases));
                }
                Command::AskWire { cell, uid } => {
                    let answered = self.on_the_wire(at, cell);
                    self.hosts[at].wire = Some((cell, uid, answered));
                }
                Command::Send(request) => self.hosts[at].flight = Flight::Asked(request),
            }
        }
    }

    /// Who answers on the wire now, if the one who asks is on it.
    fn on_the_wire(&self, at: usize, cell: Cell) -> BTreeSet<IpAddr> {
        let heard =
            self.hosts.iter().enumerate().filter(|(other, host)| {
                *other == at || !(host.wire_cut || self.hosts[at].wire_cut)
            });
        let all = heard.flat_map(|(_, host)| host.pods.iter().copied());
        all.filter(|address| cell.has(*address)).collect()
    }
}

fn need(wants: bool) -> Need {
    if wants { Need { low: 1, high: 1 } } else { Need::default() }
}
