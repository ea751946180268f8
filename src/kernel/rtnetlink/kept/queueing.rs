//! Queueing disciplines that somebody chose for an interface which is given away whole (`struct tcmsg` of `linux/rtnetlink.h`). Those that the
//! kernel takes by itself have no handle, and come again by themselves. What has classes, filters or programs is not taken apart: such
//! an interface is not given.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};

use super::{
    lacking, make,
    part::{body, numbered, part},
};
use crate::{
    inventory::{KeptPart, Link, Use},
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

const NEW_QDISC: u16 = 36;
const GET_QDISC: u16 = 38;
const HEADER: usize = 20;

mod attribute {
    pub(super) const KIND: u16 = 1;
    pub(super) const OPTIONS: u16 = 2;
    pub(super) const SIZE_TABLE: u16 = 8;
}

/// Those that are wholly what their options say.
const WHOLE: [&str; 11] = [
    "bfifo",
    "cake",
    "codel",
    "fq",
    "fq_codel",
    "fq_pie",
    "mq",
    "pfifo",
    "pfifo_head_drop",
    "pie",
    "sfq",
];

pub(super) fn look(
    netlink: &mut Netlink,
    link: &Link,
) -> Result<(Vec<KeptPart>, Vec<Use>), KernelError> {
    let answers = netlink
        .dump_ready(&Message { kind: GET_QDISC, body: vec![0; HEADER] })
        .map_err(refused("list", format_args!("queueing disciplines of {}", link.name)))?;
    let (mut kept, mut against) = (Vec::new(), Vec::new());
    for found in answers.iter().filter_map(|answer| chosen(answer, link.index)) {
        match found {
            Ok(part) => kept.push(part),
            Err(kind) => against.push(Use::NotPutBack(format!("qdisc {kind}"))),
        }
    }
    Ok((kept, against))
}

/// One that somebody chose for this interface; its kind, where that cannot be put back.
fn chosen(message: &Message, on: u32) -> Option<Result<KeptPart, KernelText>> {
    let header = message.body.first_chunk::<HEADER>()?;
    let (index, handle) = (word(&header[4..])?, word(&header[8..])?);
    (message.kind == NEW_QDISC && index == on && handle != 0).then_some(())?;
    let attributes = &message.body[HEADER..];
    let kind = KernelText::new(find(attributes, attribute::KIND)?);
    let is_whole = kind.as_str().is_some_and(|kind| WHOLE.contains(&kind));
    if !is_whole || find(attributes, attribute::SIZE_TABLE).is_some() {
        return Some(Err(kind));
    }
    let mut own = *header;
    own[4..8].fill(0);
    // How many use it.
    own[16..].fill(0);
    let both = [attribute::KIND, attribute::OPTIONS];
    Some(Ok(part(kind.to_string(), body(&own, attributes, |kind| both.contains(&kind)))))
}

/// The kernel tells of the one that others are below first.
pub(super) fn put_back(
    netlink: &mut Netlink,
    link: &Link,
    kept: &[KeptPart],
) -> Result<Vec<String>, KernelError> {
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let same = |part: &KeptPart| part.message.0.clone();
    let (there, _) = look(netlink, link)?;
    let add = |netlink: &mut Netlink, part: &KeptPart| {
        let message = numbered(NEW_QDISC, &part.message.0, link.index);
        netlink.change_ready(&message, NLM_F_CREATE | NLM_F_REPLACE)
    };
    let missing = make(netlink, lacking(kept, &there, same), add, "qdisc");
    if !missing.is_empty() {
        return Ok(missing);
    }
    let (there, _) = look(netlink, link)?;
    let left = lacking(kept, &there, same).into_iter();
    Ok(left.map(|part| format!("qdisc {} is missing", part.what)).collect())
}
