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
    netfilter::nfnetlink::{Attributes, NFTABLES, PROTOCOL, count, nftables, packet},
    netlink::socket::Netlink,
    rtnetlink::link::refused,
};
use crate::types::{InterfaceName, digest};

const TABLE: &str = "vfhook";

/// Makes sure that the table masquerades `sources`. What it has for other sources, which a configuration before this one
/// asked for, stays with it: sandboxes of that time still need it.
pub(crate) fn install(
    kernel: &mut LinuxKernel,
    sources: &BTreeSet<IpNet>,
) -> Result<(), KernelError> {
    let chain = chain_name(sources);
    transact(kernel, "install the masquerade table", |netlink| {
        if has_chain(netlink, &chain)? {
            return Ok(());
        }
        match Batch::begin().table(message::NEW_TABLE, CREATE).rules(&chain, sources).send(netlink)
        {
            // Another vfhook made the chain since we looked; all of this batch was dropped.
            Err(refusal) if refusal.errno == Errno::EEXIST => Ok(()),
            other => other,
        }
    })
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

fn has_chain(netlink: &mut Netlink, chain: &str) -> Result<bool, Refusal> {
    let mut attributes = Attributes::default();
    attributes.text(chain::TABLE, TABLE).text(chain::NAME, chain);
    let bytes = packet(nftables(message::GET_CHAIN), 0, INET, 0, 1, &attributes);
    match netlink.transact_raw(&bytes, 1, 1) {
        Ok(()) => Ok(true),
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(false),
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
    pub(crate) const BATCH_BEGIN: u16 = 0x10;
    pub(crate) const BATCH_END: u16 = 0x11;
}

mod chain {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const NAME: u16 = 3;
    pub(crate) const HOOK: u16 = 4;
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
    pub(crate) const ELEMENT: u16 = 1;
    pub(crate) const NAME: u16 = 1;
    pub(crate) const DATA: u16 = 2;
    pub(crate) const META_REGISTER: u16 = 1;
    pub(crate) const META_KEY: u16 = 2;
    pub(crate) const META_OIFNAME: u32 = 7;
    pub(crate) const META_NFPROTO: u32 = 15;
    pub(crate) const NETWORK_HEADER: u32 = 1;
    pub(crate) const EQUAL: u32 = 0;
    pub(crate) const NOT_EQUAL: u32 = 1;
    pub(crate) const VALUE: u16 = 1;
    /// `NFT_REG_1`, 16 bytes wide.
    pub(crate) const REGISTER: u32 = 1;
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

    /// The chain with a rule for each source.
    fn rules(mut self, chain: &str, sources: &BTreeSet<IpNet>) -> Self {
        self.chain(chain);
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
        let (family, offset, address, mask) = match source {
            IpNet::V4(net) => {
                (2, 12, net.network().octets().to_vec(), net.netmask().octets().to_vec())
            }
            IpNet::V6(net) => {
                (10, 8, net.network().octets().to_vec(), net.netmask().octets().to_vec())
            }
        };
        let mut expressions = Attributes::default();
        expressions
            .expression("meta", &meta(rule::META_NFPROTO))
            .expression("cmp", &compare(rule::EQUAL, &[family]))
            .expression("payload", &load(offset, address.len()))
            .expression("bitwise", &bitwise_and(&mask))
            .expression("cmp", &compare(rule::EQUAL, &address))
            .expression("meta", &meta(rule::META_OIFNAME))
            // Comparing only as many bytes as the prefix has is what `nft` makes of `"vfh*"`.
            .expression("cmp", &compare(rule::NOT_EQUAL, InterfaceName::OURS.as_bytes()))
            .expression("masq", &Attributes::default());
        let mut attributes = Attributes::default();
        attributes
            .text(rule::TABLE, TABLE)
            .text(rule::CHAIN, chain)
            .nest(rule::EXPRESSIONS, &expressions);
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

fn meta(key: u32) -> Attributes {
    let mut data = Attributes::default();
    data.number(rule::META_KEY, key).number(rule::META_REGISTER, rule::REGISTER);
    data
}

fn compare(operation: u32, value: &[u8]) -> Attributes {
    let mut data = Attributes::default();
    data.number(1, rule::REGISTER).number(2, operation).value(3, value);
    data
}

fn load(offset: u32, length: usize) -> Attributes {
    let mut data = Attributes::default();
    data.number(1, rule::REGISTER)
        .number(2, rule::NETWORK_HEADER)
        .number(3, offset)
        .number(4, count(length));
    data
}

fn bitwise_and(mask: &[u8]) -> Attributes {
    let mut data = Attributes::default();
    data.number(1, rule::REGISTER).number(2, rule::REGISTER).number(3, count(mask.len()));
    data.value(4, mask).value(5, &vec![0; mask.len()]);
    data
}

/// The attributes that an expression is made of.
impl Attributes {
    fn value(&mut self, kind: u16, bytes: &[u8]) -> &mut Self {
        let mut inner = Self::default();
        inner.raw(rule::VALUE, bytes);
        self.nest(kind, &inner)
    }

    fn expression(&mut self, name: &str, data: &Self) -> &mut Self {
        let mut expression = Self::default();
        expression.text(rule::NAME, name).nest(rule::DATA, data);
        self.nest(rule::ELEMENT, &expression)
    }
}

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
