//! Rules that name an interface which is given away whole, in words. They stay where they are: the kernel detaches them when the interface
//! leaves, and attaches them by its name when it is back.

use netlink_packet_route::{RouteNetlinkMessage, rule::RuleMessage};

use crate::{
    inventory::Link,
    kernel::{
        KernelError,
        netlink::{
            attribute::{find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::link::refused,
    },
    types::KernelText,
};

pub(super) fn naming(netlink: &mut Netlink, link: &Link) -> Result<Vec<String>, KernelError> {
    let answers = netlink
        .dump(&RouteNetlinkMessage::GetRule(RuleMessage::default()))
        .map_err(refused("list", "rules"))?;
    Ok(answers.iter().filter_map(|answer| shown(answer, &link.name)).collect())
}

fn shown(message: &Message, name: &KernelText) -> Option<String> {
    const NEW_RULE: u16 = 32;
    const HEADER: usize = 12;
    const NAMES: [(u16, &str); 2] = [(3, "iif"), (17, "oif")];
    const PRIORITY: u16 = 6;
    const TABLE: u16 = 15;
    let attributes = (message.kind == NEW_RULE).then(|| message.body.get(HEADER..))??;
    let named = |(kind, _): &&(u16, &str)| {
        find(attributes, *kind).is_some_and(|found| KernelText::new(found) == *name)
    };
    let (_, word_for_it) = NAMES.iter().find(named)?;
    let number = |kind| find(attributes, kind).and_then(word).unwrap_or(0);
    Some(format!("{}: {word_for_it} {name} lookup {}", number(PRIORITY), number(TABLE)))
}
