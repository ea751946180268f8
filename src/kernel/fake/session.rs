//! One step's view of the machine: its two namespaces, and what is done to a single link in either.

use nix::errno::Errno;

use super::{FakeLink, Machine, Namespace, card::Learned};
use crate::{
    kernel::KernelError,
    plan::step::Place,
    types::{InterfaceName, KernelText, MacAddress},
};

/// The machine with the sandbox that the operation has open.
pub(super) struct Session<'a> {
    pub(super) machine: &'a mut Machine,
    pub(super) sandbox: Option<u64>,
}

impl Session<'_> {
    pub(super) fn namespace(&mut self, place: Place) -> Result<&mut Namespace, KernelError> {
        match place {
            Place::Host => Ok(&mut self.machine.host),
            Place::Sandbox => self
                .sandbox
                .and_then(|cookie| self.machine.sandbox(cookie))
                .ok_or(KernelError::SandboxGone),
        }
    }

    /// The number of a link that must be there.
    pub(super) fn index(&mut self, place: Place, name: &InterfaceName) -> Result<u32, KernelError> {
        let found = self.namespace(place)?.link(name.as_str()).map(|link| link.facts.index);
        found.ok_or_else(|| KernelError::LinkGone { name: name.into(), place })
    }

    /// The link with a number that is known to be there.
    pub(super) fn numbered(
        &mut self,
        place: Place,
        index: u32,
    ) -> Result<&mut FakeLink, KernelError> {
        let found = self.namespace(place)?.links.get_mut(&index);
        found.ok_or_else(|| {
            KernelError::absent(format!("interface number {index}"), "there is none of that number")
        })
    }

    /// Brings a link up or down. A driver may learn its address from the card when it goes up.
    pub(super) fn go(&mut self, place: Place, index: u32, up: bool) -> Result<(), KernelError> {
        let link = self.numbered(place, index)?;
        if !up {
            link.go_down();
            return Ok(());
        }
        if link.facts.up {
            return Ok(());
        }
        let (parent, mac) = (link.facts.parent, link.facts.mac);
        let learned = parent.and_then(|device| {
            self.machine.card_of(device).map(|card| card.mac_after_up(device, mac))
        });
        let link = self.numbered(place, index)?;
        link.go_up();
        if let Some(Learned::Mac(mac)) = learned {
            link.facts.mac = mac;
            link.facts.permanent_mac = mac;
        }
        Ok(())
    }

    /// Gives a link of the host an address, as far as its driver takes it.
    pub(super) fn set_mac(&mut self, index: u32, mac: MacAddress) -> Result<(), Errno> {
        let facts = self
            .machine
            .host
            .links
            .get(&index)
            .map(|link| link.facts.clone())
            .ok_or(Errno::ENODEV)?;
        let accepted = facts.parent.is_none_or(|device| {
            self.machine.card_of(device).is_none_or(|card| card.accepts_mac(device, &facts, mac))
        });
        if !accepted {
            return Err(Errno::EADDRNOTAVAIL);
        }
        if let Some(link) = self.machine.host.links.get_mut(&index) {
            link.facts.mac = Some(mac);
        }
        Ok(())
    }

    /// Sets a link's MTU, up to what its card can do.
    pub(super) fn set_mtu(
        &mut self,
        place: Place,
        index: u32,
        mtu: u32,
    ) -> Result<(), KernelError> {
        let parent = self.numbered(place, index)?.facts.parent;
        let highest = parent
            .and_then(|device| self.machine.card_of(device))
            .map_or(65535, |card| card.driver.highest_mtu);
        if mtu > highest {
            let object = format!("interface number {index} to {mtu}");
            return Err(KernelError::refused("set the MTU of", object)(Errno::EINVAL));
        }
        self.numbered(place, index)?.facts.mtu = mtu;
        Ok(())
    }

    /// Moves a link between the two namespaces under a new name. It arrives down, with nothing that its old namespace
    /// gave it. Nothing happens when it is refused.
    pub(super) fn relocate(
        &mut self,
        (from, index): (Place, u32),
        (to, name): (Place, &KernelText),
        number: Option<u32>,
    ) -> Result<u32, KernelError> {
        let altnames = self.numbered(from, index)?.facts.altnames.clone();
        let object = format!("interface number {index} to {name}");
        self.namespace(to)?
            .admits(name, &altnames, number)
            .map_err(KernelError::refused("move", object.clone()))?;
        let moved = self.namespace(from)?.links.remove(&index);
        let mut link = moved.ok_or_else(|| KernelError::absent(object, "it vanished"))?;
        link.leave_namespace();
        link.rename(name);
        Ok(self.namespace(to)?.insert(link, number))
    }
}
