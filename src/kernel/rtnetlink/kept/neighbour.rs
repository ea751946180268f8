//! Neighbours that somebody wrote down for an interface which is given away whole, and those that the host answers for there
//! (`struct ndmsg` of `linux/neighbour.h`). What the kernel learnt it learns again.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use nix::libc;

use super::{
    lacking, make,
    part::{body, numbered, part},
};
use crate::{
    inventory::{KeptPart, Link},
    kernel::{
        KernelError,
        netlink::{
            attribute::{append, find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::{address::ip, link::refused},
    },
};

const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;
const HEADER: usize = 12;
const PERMANENT: u8 = 0x80;
const PROXY: u8 = 0x08;
const LEARNED_ELSEWHERE: u8 = 0x10;
const ROUTER: u8 = 0x80;

mod attribute {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const HARDWARE_ADDRESS: u16 = 2;
    pub(super) const INTERFACE: u16 = 8;
    pub(super) const PROTOCOL: u16 = 12;
}

pub(super) fn look(netlink: &mut Netlink, link: &Link) -> Result<Vec<KeptPart>, KernelError> {
    let mut found = Vec::new();
    for flags in [0, PROXY] {
        let mut request = vec![0; HEADER];
        request[10] = flags;
        append(&mut request, attribute::INTERFACE, &link.index.to_ne_bytes());
        let answers = netlink
            .dump_ready(&Message { kind: GET_NEIGHBOUR, body: request })
            .map_err(refused("list", format_args!("neighbours on {}", link.name)))?;
        found.extend(answers.iter().filter_map(|answer| kept(answer, link.index)));
    }
    Ok(found)
}

fn kept(message: &Message, on: u32) -> Option<KeptPart> {
    let header = message.body.first_chunk::<HEADER>()?;
    let [family, _, _, _, _, _, _, _, state, _, flags, kind] = *header;
    let known = [libc::AF_INET, libc::AF_INET6].contains(&i32::from(family));
    let wanted = state & PERMANENT != 0 || flags & PROXY != 0;
    (message.kind == NEW_NEIGHBOUR && known && wanted && word(&header[4..])? == on).then_some(())?;
    let attributes = &message.body[HEADER..];
    let address = ip(family, find(attributes, attribute::ADDRESS)?)?;
    let flags = flags & (PROXY | LEARNED_ELSEWHERE | ROUTER);
    let header = [family, 0, 0, 0, 0, 0, 0, 0, state, 0, flags, kind];
    let own = [attribute::ADDRESS, attribute::HARDWARE_ADDRESS, attribute::PROTOCOL];
    let bytes = body(&header, attributes, |kind| own.contains(&kind));
    let answered_for = if flags & PROXY == 0 { "" } else { "proxy " };
    Some(part(format!("{answered_for}{address}"), bytes))
}

pub(super) fn put_back(
    netlink: &mut Netlink,
    link: &Link,
    kept: &[KeptPart],
) -> Result<Vec<String>, KernelError> {
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let there = look(netlink, link)?;
    let missing = lacking(kept, &there, |part| part.message.0.clone());
    let add = |netlink: &mut Netlink, part: &KeptPart| {
        let message = numbered(NEW_NEIGHBOUR, &part.message.0, link.index);
        netlink.change_ready(&message, NLM_F_CREATE | NLM_F_REPLACE)
    };
    Ok(make(netlink, missing, add, "neighbour"))
}
