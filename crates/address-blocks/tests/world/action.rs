//! Everything that may happen next, in any order that is not ruled out by how long things take.

use std::net::IpAddr;

use address_blocks::Cell;

use super::{
    World,
    host::Flight,
    scene::{Fault, Scene},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// A request arrives at the server.
    Arrive(usize),
    /// Its answer arrives.
    Deliver(usize),
    /// It does not, or the request did not.
    Lose(usize),
    /// A request that nobody waits for arrives.
    Late(usize),
    /// It never will.
    Vanish(usize),
    /// A watch tells.
    Watch(usize, Cell),
    /// The wire was listened to long enough.
    Wire(usize),
    /// The daemon sees that it is cut off.
    Notice(usize),
    Start(usize),
    /// Addresses are wanted, or not any more.
    Want(usize),
    Attach(usize, IpAddr),
    Detach(usize, IpAddr),
    /// A unit of time is over everywhere.
    Tick,
    /// The server's cache is as new as its data.
    CacheFollows,
    /// The Node registers again.
    Register(usize),
    Heal(usize),
    /// The server starts from the old copy.
    Restore,
    /// What is done, and the daemon dies when so many of its commands are carried out.
    DieDuring(Box<Action>, usize),
    Fault(Fault, usize),
}

impl Action {
    /// The same, and the daemon dies before its first command, or after it.
    pub(crate) fn dying(&self) -> Option<Self> {
        match self {
            Self::Deliver(_) | Self::Watch(..) | Self::Want(_) | Self::Wire(_) => {
                Some(Self::DieDuring(Box::new(self.clone()), 1))
            }
            _ => None,
        }
    }

    /// The host that it is about.
    pub(crate) fn host(&self) -> usize {
        match self {
            Self::Deliver(at) | Self::Watch(at, _) | Self::Want(at) | Self::Wire(at) => *at,
            Self::DieDuring(action, _) => action.host(),
            other => unreachable!("no daemon dies during {other:?}"),
        }
    }
}

/// All of them.
pub(crate) fn of(world: &World, scene: &Scene) -> Vec<Action> {
    let mut actions = Vec::new();
    for at in 0..world.hosts.len() {
        of_daemon(world, scene, at, &mut actions);
        of_sandboxes(world, scene, at, &mut actions);
        faults(world, scene, at, &mut actions);
    }
    for index in 0..world.delayed.len() {
        actions.extend([Action::Late(index), Action::Vanish(index)]);
    }
    if world.backup.is_some() {
        actions.push(Action::Restore);
    }
    if world.cache.is_some() {
        actions.push(Action::CacheFollows);
    }
    if may_tick(world, scene) {
        actions.push(Action::Tick);
    }
    actions
}

fn of_daemon(world: &World, scene: &Scene, at: usize, actions: &mut Vec<Action>) {
    let host = &world.hosts[at];
    if host.cut {
        actions.push(Action::Heal(at));
    }
    let registered = world.server.nodes.contains(&scene.settings[at].owner);
    if !registered {
        actions.push(Action::Register(at));
    }
    let Some(daemon) = &host.daemon else {
        actions.push(Action::Start(at));
        return;
    };
    match (&host.flight, host.cut) {
        (Flight::Asked(_), false) => actions.push(Action::Arrive(at)),
        (Flight::Answered(_), false) => actions.push(Action::Deliver(at)),
        _ => {}
    }
    if daemon.follows() && !host.cut {
        actions.extend(untold(world, scene, at).map(|cell| Action::Watch(at, cell)));
    }
    if host.wire.is_some() {
        actions.push(Action::Wire(at));
    }
    if host.cut && !host.noticed {
        actions.push(Action::Notice(at));
    }
    if at < scene.wants {
        actions.push(Action::Want(at));
    }
}

fn of_sandboxes(world: &World, scene: &Scene, at: usize, actions: &mut Vec<Action>) {
    let host = &world.hosts[at];
    if let Some(file) = &host.file {
        let free = file.free(&scene.settings[at].grid, &host.leases);
        actions.extend(free.into_iter().map(|address| Action::Attach(at, address)));
    }
    actions.extend(host.pods.iter().map(|address| Action::Detach(at, *address)));
}

fn faults(world: &World, scene: &Scene, at: usize, actions: &mut Vec<Action>) {
    if world.faults == 0 || at >= scene.faulty {
        return;
    }
    let host = &world.hosts[at];
    let lives = host.daemon.is_some();
    for fault in &scene.kinds {
        let makes_sense = match fault {
            Fault::Kill => lives,
            Fault::Reboot | Fault::LoseRecords => true,
            Fault::Cut => !host.cut,
            Fault::CutWire => !host.wire_cut,
            Fault::DeleteNode => world.server.nodes.contains(&scene.settings[at].owner),
            Fault::DeleteByHand => at < world.server.objects.len(),
            Fault::Backup => at == 0 && world.backup.is_none(),
            Fault::LoseAnswer => false,
        };
        if makes_sense {
            actions.push(Action::Fault(*fault, at));
        }
    }
    if scene.may(Fault::LoseAnswer) && lives && host.flight != Flight::None {
        actions.push(Action::Lose(at));
    }
}

/// Cells of which a daemon that follows its blocks does not know the newest.
fn untold(world: &World, scene: &Scene, at: usize) -> impl Iterator<Item = Cell> {
    let host = &world.hosts[at];
    let node = &scene.settings[at].owner.node;
    let known: Vec<_> = host.daemon.iter().flat_map(address_blocks::Holder::known).collect();
    let own =
        |cell: &Cell| world.server.objects.get(cell).filter(|object| object.owner.node == *node);
    scene.cells.iter().copied().filter(move |_| !host.behind).filter(move |cell| {
        let known = known.iter().find(|known| known.0 == *cell).map(|known| (known.1, known.2));
        match own(cell) {
            // Another machine's of this name is told, and no change to anything.
            Some(object)
                if object.owner.machine != scene.settings[at].owner.machine
                    && !scene.adopts_by_name =>
            {
                known.is_some()
            }
            // What was believed and never was is told by no watch.
            None => known.is_some_and(|known| known.0.0 > 0) && !scene.ignores_loss,
            now => known != now.map(|object| (object.uid, object.version)),
        }
    })
}

/// Time goes on only where nothing is late that may not be: a watch tells within a unit, and who can reach the server follows it soon.
fn may_tick(world: &World, scene: &Scene) -> bool {
    (0..world.hosts.len()).all(|at| {
        let host = &world.hosts[at];
        let Some(daemon) = host.daemon.as_ref().filter(|_| !host.cut) else { return true };
        if !daemon.follows() {
            return host.late < scene.reconnect;
        }
        untold(world, scene, at).next().is_none()
    })
}
