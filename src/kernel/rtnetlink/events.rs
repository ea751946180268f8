//! Hears on the host of what concerns leases: interfaces of ours, the ends of namespaces that we numbered, our nft table. Says which
//! lease an event names; looks at none.

use std::{collections::BTreeSet, thread, time::Duration};

use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use nix::errno::Errno;

use crate::{
    kernel::{
        KernelError,
        netlink::{
            attribute::{find, signed},
            socket::{Message, Netlink},
        },
        rtnetlink::link_message,
    },
    types::{KernelText, NetnsNumber, OwnerTag, SandboxId},
};

/// How long one wait lasts at most; only so that nothing waits for ever on a lost event.
const PATIENCE: Duration = Duration::from_secs(60);

/// `RTNLGRP_LINK` and `RTNLGRP_NSID`.
const LINKS_AND_NAMESPACES: [u32; 2] = [1, 28];

/// `NFNLGRP_NFTABLES`.
const TABLES: [u32; 1] = [7];

/// How long what follows an event is left in the socket. Whoever changes links is the one who would wake the listener, once for each
/// message; while it sleeps, a burst costs them a queued message each.
const BURST: Duration = Duration::from_millis(30);

/// Bytes that a burst may fill. A message of a link takes some 2 KiB of it, and what does not fit is told as lost.
const ROOM: usize = 4 << 20;

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// What events were about, each once.
    Of(BTreeSet<Concern>),
    /// There was more than fits; nobody knows what.
    TooMuch,
}

/// Whom an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    /// The sandbox whose tag an interface has.
    Sandbox(SandboxId),
    /// The lease whose pair has an end of this name.
    Pair(KernelText),
    /// The lease whose namespace had this number.
    Namespace(i32),
    /// Everybody who is masqueraded.
    Masquerade,
}

/// A subscription in the namespace it was opened in.
pub struct HostEvents {
    netlink: Netlink,
}

impl HostEvents {
    /// Hears of interfaces and namespaces.
    pub fn of_links() -> Result<Self, KernelError> {
        Self::open(NETLINK_ROUTE, &LINKS_AND_NAMESPACES, ROOM)
    }

    /// Hears of what is taken out of our nft table.
    pub fn of_tables() -> Result<Self, KernelError> {
        Self::open(NETLINK_NETFILTER, &TABLES, ROOM)
    }

    fn open(protocol: isize, groups: &[u32], room: usize) -> Result<Self, KernelError> {
        let netlink = Netlink::watch(protocol, groups, room).map_err(listening())?;
        Ok(Self { netlink })
    }

    /// Waits until something is heard that concerns a lease, and then a little for what comes with it: a namespace that dies gives
    /// an event for each of its devices.
    pub fn wait(&mut self) -> Result<Heard, KernelError> {
        loop {
            let heard = self.burst().or_else(|errno| match errno {
                Errno::ENOBUFS => Ok(Heard::TooMuch),
                errno => Err(listening()(errno)),
            })?;
            if heard != Heard::Of(BTreeSet::new()) {
                return Ok(heard);
            }
        }
    }

    /// What comes with the next event; nothing when there is none for a while.
    fn burst(&mut self) -> Result<Heard, Errno> {
        let mut events = self.netlink.heard(PATIENCE)?;
        if !events.is_empty() {
            thread::sleep(BURST);
        }
        let mut concerns = BTreeSet::new();
        while !events.is_empty() {
            concerns.extend(events.iter().filter_map(concern));
            events = self.netlink.heard(Duration::ZERO)?;
        }
        Ok(Heard::Of(concerns))
    }
}

fn listening() -> impl FnOnce(Errno) -> KernelError {
    KernelError::refused("listen to", "events of the host")
}

fn concern(event: &Message) -> Option<Concern> {
    const DELETED_NUMBER: u16 = 89;
    match event.kind {
        link_message::NEW_LINK | link_message::DELETED_LINK => {
            let (name, alias) = link_message::known_by(event)?;
            let tag = alias.as_ref().and_then(OwnerTag::parse);
            let pair = name.is_ours().then_some(Concern::Pair(name));
            tag.map(|tag| Concern::Sandbox(tag.sandbox().clone())).or(pair)
        }
        DELETED_NUMBER => {
            let number = find(event.body.get(4..)?, 1).and_then(signed)?;
            NetnsNumber(number).is_ours().then_some(Concern::Namespace(number))
        }
        _ => is_taken_from_ours(event).then_some(Concern::Masquerade),
    }
}

/// Whether an event tells that something of our table was deleted: the whole, a chain or a rule.
fn is_taken_from_ours(event: &Message) -> bool {
    const NFTABLES: u16 = 10;
    const DELETED: [u16; 3] = [2, 5, 8];
    const TABLE: u16 = 1;
    let of_tables = event.kind >> 8 == NFTABLES && DELETED.contains(&(event.kind & 0xff));
    let table = || find(event.body.get(4..)?, TABLE).map(KernelText::new);
    of_tables && table().is_some_and(|table| table == *"vfhook")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::sched::{CloneFlags, unshare};

    use super::*;
    use crate::types::InterfaceName;

    /// Listens in a new namespace with `room`, and hears what comes when `count` pairs of ours appear there.
    fn heard(room: usize, count: u64) -> Heard {
        let alone = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let mut events = HostEvents::open(NETLINK_ROUTE, &LINKS_AND_NAMESPACES, room).unwrap();
            let listener = thread::spawn(move || events.wait().unwrap());
            for number in 0..count {
                let [one, other] = [2 * number, 2 * number + 1].map(InterfaceName::ours);
                let pair = format!("link add {one} type veth peer name {other}");
                let made = Command::new("ip").args(pair.split(' ')).status();
                assert!(made.unwrap().success());
            }
            listener.join().unwrap()
        });
        alone.join().unwrap()
    }

    #[test]
    fn what_comes_together_is_heard_together() {
        let Heard::Of(concerns) = heard(ROOM, 4) else { panic!("it fits") };
        assert!(concerns.len() > 1, "{concerns:?}");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert_eq!(heard(1, 40), Heard::TooMuch);
    }
}
