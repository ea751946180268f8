//! The one nft table of ours: service path sources that leave the host by an interface that is not ours get the host's
//! address, so that every reply comes back through the host's stack, whatever kube-proxy does.
//!
//! In `nft` words, for each source network:
//!
//! ```text
//! table inet vfhook { chain masquerade-DIGEST { type nat hook postrouting priority srcnat;
//!     ip saddr 169.254.96.0/20 oifname != "vfh*" masquerade
//! } }
//! ```
//!
//! The digest of the sources is in the chain's name, so that one question tells whether what they need is there. Spoken in
//! netlink (`linux/netfilter/nf_tables.h`) and not through the `nft` program: that costs a process and some milliseconds
//! each time, and is not installed everywhere.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;
use nix::errno::Errno;

use crate::kernel::{
    KernelError, LinuxKernel, Refusal,
    netfilter::{
        expression::masquerading,
        nfnetlink::{Attributes, NFTABLES, PROTOCOL, nftables, number, packet},
    },
    netlink::{attribute::find, socket::Netlink},
    rtnetlink::link::refused,
};
use crate::types::digest;

const TABLE: &str = "vfhook";

/// Makes sure that the table masquerades `sources`. What it has for other sources, which a configuration before this one
/// asked for, stays with it: sandboxes of that time still need it.
pub(crate) fn install(
    kernel: &mut LinuxKernel,
    sources: &BTreeSet<IpNet>,
) -> Result<(), KernelError> {
    let chain = chain_name(sources);
    transact(kernel, "install the masquerade table", |netlink| {
        let batch = Batch::begin();
        let batch = match rules_in(netlink, &chain)? {
            Some(rules) if rules == sources.len() => return Ok(()),
            // Somebody took rules out of it, or put some in.
            Some(_) => batch.without_rules(&chain),
            None => batch.table(message::NEW_TABLE, CREATE).with_chain(&chain),
        };
        match batch.with_rules(&chain, sources).send(netlink) {
            // Another vfhook made the chain since we looked; all of this batch was dropped.
            Err(refusal) if refusal.errno == Errno::EEXIST => Ok(()),
            other => other,
        }
    })
}

/// Whether the table has all that masquerades `sources`.
pub(crate) fn is_whole(
    kernel: &mut LinuxKernel,
    sources: &BTreeSet<IpNet>,
) -> Result<bool, KernelError> {
    let chain = chain_name(sources);
    let mut rules = None;
    transact(kernel, "look at the masquerade table", |netlink| {
        rules = rules_in(netlink, &chain)?;
        Ok(())
    })?;
    Ok(rules == Some(sources.len()))
}

/// Removes the table; one that is gone is gone, and one that another process owns (EPERM) is not ours.
pub(crate) fn remove(kernel: &mut LinuxKernel) -> Result<(), KernelError> {
    transact(kernel, "remove the masquerade table", |netlink| {
        match Batch::begin().table(message::DELETE_TABLE, 0).send(netlink) {
            Err(refusal) if matches!(refusal.errno, Errno::ENOENT | Errno::EPERM) => Ok(()),
            other => other,
        }
    })
}

/// Sources that nobody has, to try whether the kernel can masquerade.
pub(crate) fn example() -> BTreeSet<IpNet> {
    BTreeSet::from([IpNet::from(IpAddr::from(Ipv4Addr::LOCALHOST))])
}

fn transact(
    kernel: &mut LinuxKernel,
    operation: &'static str,
    work: impl FnOnce(&mut Netlink) -> Result<(), Refusal>,
) -> Result<(), KernelError> {
    let object = format!("inet {TABLE}");
    let opened = Netlink::open(PROTOCOL).map_err(KernelError::refused(operation, object.clone()));
    let mut netlink = opened?;
    let answer = work(&mut netlink);
    kernel.other_messages += netlink.sent();
    answer.map_err(refused(operation, object))
}

/// How many rules the chain has; `None` when there is no such chain, or it is called for no packet.
fn rules_in(netlink: &mut Netlink, chain: &str) -> Result<Option<usize>, Refusal> {
    let mut asked = Attributes::default();
    asked.text(chain::TABLE, TABLE).text(chain::NAME, chain);
    let bytes = packet(nftables(message::GET_CHAIN), 0, INET, 0, 1, &asked);
    match netlink.get_raw(&bytes, 1) {
        Ok(answer) => {
            let found = answer.body.get(4..).unwrap_or_default();
            let rules = find(found, chain::RULES).and_then(number).unwrap_or(0);
            Ok(find(found, chain::HOOK).map(|_| usize::try_from(rules).unwrap_or(usize::MAX)))
        }
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

fn chain_name(sources: &BTreeSet<IpNet>) -> String {
    let text = sources.iter().fold(String::new(), |text, source| text + &source.to_string() + " ");
    format!("masquerade-{:016x}", digest(&text))
}

const INET: u8 = 1;
const CREATE: u16 = 0x400;
const EXCLUSIVE: u16 = 0x200;
const ACK: u16 = 0x4;

mod message {
    pub(crate) const NEW_TABLE: u16 = 0;
    pub(crate) const DELETE_TABLE: u16 = 2;
    pub(crate) const NEW_CHAIN: u16 = 3;
    pub(crate) const GET_CHAIN: u16 = 4;
    pub(crate) const NEW_RULE: u16 = 6;
    pub(crate) const DELETE_RULE: u16 = 8;
    pub(crate) const BATCH_BEGIN: u16 = 0x10;
    pub(crate) const BATCH_END: u16 = 0x11;
}

mod chain {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const NAME: u16 = 3;
    pub(crate) const HOOK: u16 = 4;
    /// `NFTA_CHAIN_USE`: of a chain that no rule jumps to, how many rules it has.
    pub(crate) const RULES: u16 = 6;
    pub(crate) const TYPE: u16 = 7;
    pub(crate) const HOOK_NUMBER: u16 = 1;
    pub(crate) const HOOK_PRIORITY: u16 = 2;
    pub(crate) const POSTROUTING: u32 = 4;
    pub(crate) const SRCNAT: u32 = 100;
}

mod rule {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const CHAIN: u16 = 2;
    pub(crate) const EXPRESSIONS: u16 = 4;
}

/// Messages that take effect together or not at all.
struct Batch {
    bytes: Vec<u8>,
    sequence: u32,
}

impl Batch {
    fn begin() -> Self {
        let mut batch = Self { bytes: Vec::new(), sequence: 0 };
        batch.push(message::BATCH_BEGIN, 0, 0, NFTABLES, &Attributes::default());
        batch
    }

    fn table(mut self, kind: u16, flags: u16) -> Self {
        let mut attributes = Attributes::default();
        attributes.text(1, TABLE);
        self.push(nftables(kind), flags, INET, 0, &attributes);
        self
    }

    fn with_chain(mut self, chain: &str) -> Self {
        self.chain(chain);
        self
    }

    /// Takes every rule out of a chain.
    fn without_rules(mut self, chain: &str) -> Self {
        let mut attributes = Attributes::default();
        attributes.text(rule::TABLE, TABLE).text(rule::CHAIN, chain);
        self.push(nftables(message::DELETE_RULE), 0, INET, 0, &attributes);
        self
    }

    /// A rule for each source.
    fn with_rules(mut self, chain: &str, sources: &BTreeSet<IpNet>) -> Self {
        for source in sources {
            self.rule(chain, *source);
        }
        self
    }

    fn chain(&mut self, name: &str) {
        let mut hook = Attributes::default();
        hook.number(chain::HOOK_NUMBER, chain::POSTROUTING)
            .number(chain::HOOK_PRIORITY, chain::SRCNAT);
        let mut attributes = Attributes::default();
        attributes
            .text(chain::TABLE, TABLE)
            .text(chain::NAME, name)
            .nest(chain::HOOK, &hook)
            .text(chain::TYPE, "nat");
        self.push(nftables(message::NEW_CHAIN), CREATE | EXCLUSIVE, INET, 0, &attributes);
    }

    fn rule(&mut self, chain: &str, source: IpNet) {
        let mut attributes = Attributes::default();
        attributes
            .text(rule::TABLE, TABLE)
            .text(rule::CHAIN, chain)
            .nest(rule::EXPRESSIONS, &masquerading(source));
        self.push(nftables(message::NEW_RULE), CREATE | APPEND, INET, 0, &attributes);
    }

    fn send(mut self, netlink: &mut Netlink) -> Result<(), Refusal> {
        let last = self.sequence;
        self.push(message::BATCH_END, 0, 0, NFTABLES, &Attributes::default());
        netlink.transact_raw(&self.bytes, u64::from(self.sequence), last)
    }

    fn push(&mut self, kind: u16, flags: u16, family: u8, resource: u16, attributes: &Attributes) {
        self.sequence += 1;
        // Every message of the batch is acknowledged, save its ends; the last one's answer tells that it is over.
        let flags = if family == 0 { flags } else { flags | ACK };
        self.bytes.extend(packet(kind, flags, family, resource, self.sequence, attributes));
    }
}

const APPEND: u16 = 0x800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_named_after_its_sources() {
        let one: BTreeSet<IpNet> = ["169.254.96.0/20".parse().unwrap()].into();
        let other: BTreeSet<IpNet> = ["169.254.112.0/20".parse().unwrap()].into();
        assert_eq!(chain_name(&one), chain_name(&one.clone()));
        assert_ne!(chain_name(&one), chain_name(&other));
        assert!(chain_name(&one).len() < 32);
    }
}
