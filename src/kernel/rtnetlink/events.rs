//! Hears on the host of what concerns leases: interfaces of ours, the ends of namespaces that we numbered, our nft table. Says which
//! lease an event names; looks at none.

use std::time::Duration;

use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};

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
        Self::open(NETLINK_ROUTE, &LINKS_AND_NAMESPACES)
    }

    /// Hears of what is taken out of our nft table.
    pub fn of_tables() -> Result<Self, KernelError> {
        Self::open(NETLINK_NETFILTER, &TABLES)
    }

    fn open(protocol: isize, groups: &[u32]) -> Result<Self, KernelError> {
        let netlink = Netlink::events(protocol, groups)
            .map_err(KernelError::refused("listen to", "events of the host"))?;
        Ok(Self { netlink })
    }

    /// Waits until something is heard that concerns a lease.
    pub fn wait(&mut self) -> Result<Vec<Concern>, KernelError> {
        loop {
            let heard = self
                .netlink
                .heard(PATIENCE)
                .map_err(KernelError::refused("listen to", "events of the host"))?;
            let concerns: Vec<Concern> = heard.iter().filter_map(concern).collect();
            if !concerns.is_empty() {
                return Ok(concerns);
            }
        }
    }
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
