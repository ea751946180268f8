//! What a message of the kernel's says of a link (`struct ifinfomsg` and `IFLA_*` of `linux/if_link.h`). Reads bytes: a name or an
//! alias that is no text makes no link unreadable. Asks nothing but which function a virtio device is.

use std::collections::BTreeSet;

use crate::{
    inventory::{Below, Link},
    kernel::{
        netlink::{
            attribute::{elements, find, signed, word},
            socket::Message,
        },
        rtnetlink::settings,
        sysfs::function_of_virtio,
    },
    types::{KernelText, MacAddress, PciAddress},
};

/// The kind of a message that tells of a link (`RTM_NEWLINK`).
pub(crate) const NEW_LINK: u16 = 16;

/// The kind of a message that tells of a link's end (`RTM_DELLINK`).
pub(crate) const DELETED_LINK: u16 = 17;

/// The length of `struct ifinfomsg`.
const HEADER: usize = 16;

mod attribute {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const NAME: u16 = 3;
    pub(super) const MTU: u16 = 4;
    pub(super) const BELOW: u16 = 5;
    pub(super) const MASTER: u16 = 10;
    pub(super) const TX_QUEUE_LEN: u16 = 13;
    pub(super) const ALIAS: u16 = 20;
    pub(super) const NAMESPACE_BELOW: u16 = 37;
    pub(super) const PROPERTIES: u16 = 52;
    pub(super) const ALTERNATIVE_NAME: u16 = 53;
    pub(super) const PERMANENT_ADDRESS: u16 = 54;
    pub(super) const PARENT_NAME: u16 = 56;
}

/// Bits of a link's flags (`linux/if.h`).
mod flag {
    pub(super) const UP: u32 = 0x1;
    pub(super) const LOWER_UP: u32 = 0x1_0000;
    pub(super) const PROMISCUOUS: u32 = 0x100;
    pub(super) const ALL_MULTICAST: u32 = 0x200;
}

/// The link that a message tells of; `None` for another kind of message.
pub(crate) fn read(message: &Message) -> Option<Link> {
    matches!(message.kind, NEW_LINK | DELETED_LINK).then(|| read_body(&message.body))?
}

/// The number of the link that a message tells of, where that is up and has no carrier.
pub(crate) fn cut(message: &Message) -> Option<u32> {
    let flags = word(message.body.get(8..)?)?;
    let is_cut = flags & flag::UP != 0 && flags & flag::LOWER_UP == 0;
    if is_cut { word(message.body.get(4..)?) } else { None }
}

/// The name and the alias of the link that a message tells of: all that is read where a tenant makes messages as fast as it likes.
pub(crate) fn known_by(message: &Message) -> Option<(KernelText, Option<KernelText>)> {
    let attributes = message.body.get(HEADER..)?;
    let name = KernelText::new(find(attributes, attribute::NAME)?);
    Some((name, find(attributes, attribute::ALIAS).and_then(alias)))
}

/// The attributes of a message about a link.
pub(crate) fn attributes(body: &[u8]) -> &[u8] {
    body.get(HEADER..).unwrap_or_default()
}

/// The link that the message with this body tells of; `None` when it is cut short.
pub(crate) fn read_body(body: &[u8]) -> Option<Link> {
    let flags = word(body.get(8..)?)?;
    let mut link = Link {
        index: word(body.get(4..)?)?,
        name: KernelText::default(),
        altnames: BTreeSet::new(),
        mac: None,
        permanent_mac: None,
        mtu: 0,
        up: flags & flag::UP != 0,
        promiscuous: flags & flag::PROMISCUOUS != 0,
        all_multicast: flags & flag::ALL_MULTICAST != 0,
        tx_queue_len: 0,
        alias: None,
        master: None,
        below: below(attributes(body)),
        settings: Some(Box::new(settings::read(flags, attributes(body)))),
        parent: None,
        addresses: Vec::new(),
    };
    for (kind, value) in elements(attributes(body)) {
        match kind {
            attribute::NAME => link.name = KernelText::new(value),
            attribute::ADDRESS => link.mac = mac(value),
            attribute::PERMANENT_ADDRESS => link.permanent_mac = mac(value),
            attribute::MTU => link.mtu = word(value).unwrap_or(0),
            attribute::TX_QUEUE_LEN => link.tx_queue_len = word(value).unwrap_or(0),
            attribute::ALIAS => link.alias = alias(value),
            attribute::MASTER => link.master = word(value),
            attribute::PARENT_NAME => {
                let name = KernelText::new(value);
                link.parent = name.as_str().and_then(function_of);
            }
            attribute::PROPERTIES => link.altnames.extend(alternative_names(value)),
            _ => {}
        }
    }
    Some(link)
}

/// The PCI function that a parent is. A virtio device is told of by its number, which only sysfs can tell the function of.
fn function_of(parent: &str) -> Option<PciAddress> {
    parent.parse().ok().or_else(|| function_of_virtio(parent))
}

/// An empty one is none.
fn alias(value: &[u8]) -> Option<KernelText> {
    Some(KernelText::new(value)).filter(|alias| !alias.as_bytes().is_empty())
}

fn below(attributes: &[u8]) -> Option<Below> {
    let namespace = find(attributes, attribute::NAMESPACE_BELOW).and_then(signed);
    Some(Below { index: find(attributes, attribute::BELOW).and_then(word)?, namespace })
}

fn alternative_names(properties: &[u8]) -> impl Iterator<Item = KernelText> {
    elements(properties)
        .filter(|(kind, _)| *kind == attribute::ALTERNATIVE_NAME)
        .map(|(_, name)| KernelText::new(name))
}

fn mac(bytes: &[u8]) -> Option<MacAddress> {
    bytes.try_into().ok().and_then(MacAddress::from_bytes)
}
