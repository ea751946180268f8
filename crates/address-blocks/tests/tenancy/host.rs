//! One machine: its attempt, and whether its sandbox has the address.

use address_blocks::{Attempt, Todo, Told};

use super::{Scene, World, place, tenant};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Flight {
    #[default]
    None,
    Asked(Todo),
    Answered(Told),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each may be without the others")]
pub(crate) struct Host {
    pub(crate) attempt: Option<Attempt>,
    pub(crate) flight: Flight,
    /// Whether somebody answered on the wire, when it was asked.
    pub(crate) wire: Option<bool>,
    /// Whether its sandbox has the address.
    pub(crate) has: bool,
    /// Whether that is recorded.
    pub(crate) knows: bool,
    pub(crate) cut: bool,
    pub(crate) wire_cut: bool,
    /// Whether it has no Node.
    pub(crate) is_gone: bool,
}

impl World {
    pub(super) fn begin(&mut self, scene: &Scene, at: usize, attempt: Attempt, todo: Todo) {
        self.hosts[at].attempt = Some(attempt);
        self.carry_out(scene, at, todo);
    }

    pub(super) fn leave(&mut self, scene: &Scene, at: usize) {
        let (attempt, todo) = Attempt::to_leave(tenant(at));
        self.begin(scene, at, attempt, todo);
    }

    pub(super) fn tell(&mut self, scene: &Scene, at: usize, told: Told) {
        let host = &mut self.hosts[at];
        let knows = host.knows;
        if let Some(attempt) = &mut host.attempt {
            let ours = matches!(&told, Told::Read(Some(seen))
                if seen.tenant.as_ref().is_some_and(|tenant| place(tenant) == at));
            let takes = attempt.takes();
            match attempt.step(told, knows) {
                Some(Todo::Write { .. }) if ours && takes && !scene.writes_again => {
                    self.carry_out(scene, at, Todo::AskWire);
                }
                Some(todo) => self.carry_out(scene, at, todo),
                None => {}
            }
        }
    }

    fn carry_out(&mut self, scene: &Scene, at: usize, todo: Todo) {
        match todo {
            Todo::Read | Todo::Write { .. } => self.hosts[at].flight = Flight::Asked(todo),
            Todo::AskWire => {
                let asker = &self.hosts[at];
                let heard = |(other, host): (usize, &Host)| {
                    host.has && (other == at || !(host.wire_cut || asker.wire_cut))
                };
                let answered = self.hosts.iter().enumerate().any(heard) && scene.asks_wire;
                self.hosts[at].wire = Some(answered);
            }
            Todo::Give => {
                self.end(at);
                (self.hosts[at].has, self.hosts[at].knows) = (true, true);
            }
            Todo::End | Todo::Refuse(_) => self.end(at),
        }
    }

    /// The attempt is over, whatever is under way.
    pub(super) fn end(&mut self, at: usize) {
        self.leave_flight(at);
        let host = &mut self.hosts[at];
        (host.attempt, host.wire) = (None, None);
    }

    pub(super) fn leave_flight(&mut self, at: usize) {
        let flight = std::mem::replace(&mut self.hosts[at].flight, Flight::None);
        if let Flight::Asked(Todo::Write { version, tenant, .. }) = flight {
            if self.delayed.len() < 2 {
                self.delayed.push((version, tenant));
            }
        }
    }
}
