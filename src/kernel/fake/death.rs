//! What becomes of a namespace that nobody lives in or holds open any more (`default_device_exit_net`).

use super::{
    LinkKind, Machine,
    machine::{Returning, Sandbox},
};
use crate::types::{KernelText, PciAddress};

impl Machine {
    /// Those who lived in the namespace are gone, and its path with them. It lasts while somebody holds it open.
    pub fn end_sandbox(&mut self, cookie: u64) {
        self.sources.retain(|(_, found)| *found != cookie);
        if let Some(sandbox) = self.sandboxes.get_mut(&cookie) {
            sandbox.ended = true;
        }
        self.bury(cookie);
    }

    /// Holds a namespace open, as a forgotten file descriptor does.
    pub fn hold(&mut self, cookie: u64) {
        if let Some(sandbox) = self.sandboxes.get_mut(&cookie) {
            sandbox.holders += 1;
        }
    }

    /// Lets a held namespace go.
    pub fn let_go(&mut self, cookie: u64) {
        if let Some(sandbox) = self.sandboxes.get_mut(&cookie) {
            sandbox.holders = sandbox.holders.saturating_sub(1);
        }
        self.bury(cookie);
    }

    fn bury(&mut self, cookie: u64) {
        let dead = |found: &Sandbox| found.ended && found.holders == 0;
        if !self.sandboxes.get(&cookie).is_some_and(dead) {
            return;
        }
        let Some(sandbox) = self.sandboxes.remove(&cookie) else { return };
        for link in sandbox.netns.links.into_values() {
            match link.kind {
                LinkKind::Physical => {
                    self.returning.push(Returning { link, looks_left: self.return_delay });
                }
                LinkKind::Veth(_) => self.forget_pair_of(&link),
                LinkKind::Upper(..) | LinkKind::Bond | LinkKind::Tenants(_) | LinkKind::Foreign => {
                }
            }
        }
        self.arrive();
    }

    /// Time passes: somebody looked.
    pub fn tick(&mut self) {
        for returning in &mut self.returning {
            returning.looks_left = returning.looks_left.saturating_sub(1);
        }
        self.arrive();
    }

    /// Time passes until every device is back.
    pub fn settle(&mut self) {
        for returning in &mut self.returning {
            returning.looks_left = 0;
        }
        self.arrive();
    }

    /// Whether a device is on its way back.
    pub(super) fn is_returning(&self, device: PciAddress) -> bool {
        self.returning.iter().any(|returning| returning.link.facts.parent == Some(device))
    }

    fn arrive(&mut self) {
        let (here, on_the_way) =
            self.returning.drain(..).partition(|returning: &Returning| returning.looks_left == 0);
        self.returning = on_the_way;
        let here: Vec<Returning> = here;
        for Returning { mut link, .. } in here {
            link.leave_namespace();
            // An alternative name that is taken is dropped; a taken name becomes the fallback.
            let host = &self.host;
            link.facts.altnames.retain(|name| !host.has(name));
            if host.has(&link.facts.name) {
                link.rename(&KernelText::new(format!("dev{}", link.facts.index)));
            }
            self.host.insert(link, None);
        }
    }
}
