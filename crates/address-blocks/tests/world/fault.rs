//! What goes wrong around the daemons.

use address_blocks::{Input, Leases, Request};

use super::{
    World,
    host::Flight,
    scene::{Fault, Scene},
    server::Server,
};

/// Requests that may be under way with nobody waiting.
pub(super) const DELAYED: usize = 2;

impl World {
    pub(super) fn fault(&mut self, scene: &Scene, fault: Fault, at: usize) {
        self.faults -= 1;
        match fault {
            Fault::Kill => self.kill(at),
            Fault::Reboot => {
                self.kill(at);
                let host = &mut self.hosts[at];
                host.pods.clear();
                // Starting takes a machine longer than an address rests.
                let leases = &host.leases;
                self.rest.retain(|address, _| leases.is_free(*address));
                self.forget_records(at);
            }
            Fault::LoseRecords => {
                self.kill(at);
                self.forget_records(at);
            }
            Fault::Cut => self.hosts[at].cut = true,
            Fault::CutWire => self.hosts[at].wire_cut = true,
            Fault::DeleteNode => self.server.delete_node(scene, at),
            Fault::DeleteByHand => {
                self.cache = scene.stale_reads.then(|| self.server.clone());
                let cell = self.server.objects.keys().nth(at).copied();
                cell.map(|cell| self.server.objects.remove(&cell));
            }
            Fault::Backup => self.backup = Some(self.server.clone()),
            Fault::LoseAnswer => unreachable!("an action of its own"),
        }
    }

    fn forget_records(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        (host.file, host.leases) = (None, Leases::default());
    }

    pub(super) fn kill(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        host.daemon = None;
        host.dies_after = None;
        host.wire = None;
        host.noticed = false;
        let flight = std::mem::replace(&mut host.flight, Flight::None);
        self.leave(at, flight);
    }

    /// What nobody waits for may arrive still.
    pub(super) fn leave(&mut self, at: usize, flight: Flight) {
        if let Flight::Asked(request) = flight {
            if !matches!(request, Request::Read | Request::Names) && self.delayed.len() < DELAYED {
                self.delayed.push((at, request));
                self.delayed.sort();
            }
        }
    }

    pub(super) fn restore(&mut self, scene: &Scene) {
        if let Some(backup) = self.backup.take() {
            let uids = self.server.next_uid;
            self.server = Server { next_uid: uids, ..backup };
        }
        // Requests die with the server's process.
        self.delayed.clear();
        self.cache = None;
        for at in 0..self.hosts.len() {
            self.hosts[at].flight = Flight::None;
            self.hosts[at].late = 0;
            self.tell(scene, at, Input::Severed);
        }
    }
}
