//! Which links stand on another one: VLANs, macvlans, tunnels. Asks for all there are.

use netlink_packet_route::{RouteNetlinkMessage, link::LinkMessage};

use crate::{
    kernel::{
        KernelError,
        netlink::{
            attribute::{find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::{link::refused, link_message},
    },
    types::KernelText,
};

/// Kinds of links that are made in pairs, as `struct rtnl_link_ops` names them.
const PAIRS: [&[u8]; 3] = [b"veth", b"netkit", b"vxcan"];

/// Of a link's message (`IFLA_*`).
mod attribute {
    pub(super) const LOWER: u16 = 5;
    pub(super) const INFO: u16 = 18;
    pub(super) const INFO_KIND: u16 = 1;
    pub(super) const LOWER_NAMESPACE: u16 = 37;
}

/// The names of the links in the socket's namespace that stand on the one with this number. The ends of a pair name each other, and
/// neither stands on the other.
pub(crate) fn standing_on(
    netlink: &mut Netlink,
    index: u32,
) -> Result<Vec<KernelText>, KernelError> {
    let all = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let answers = netlink.dump(&all).map_err(refused("list", "interfaces"))?;
    let upper = answers.iter().filter(|answer| lower(answer) == Some(index));
    Ok(upper.filter_map(link_message::read).map(|upper| upper.name).collect())
}

/// The number of the link of the same namespace that a message's link stands on.
fn lower(message: &Message) -> Option<u32> {
    let all = link_message::attributes(&message.body);
    let kind = find(all, attribute::INFO).and_then(|info| find(info, attribute::INFO_KIND));
    let is_pair = kind.is_some_and(|kind| PAIRS.contains(&KernelText::new(kind).as_bytes()));
    let elsewhere = find(all, attribute::LOWER_NAMESPACE).is_some();
    let own = word(message.body.get(4..)?)?;
    let lower = word(find(all, attribute::LOWER)?)?;
    (message.kind == link_message::NEW_LINK && !is_pair && !elsewhere && lower != own)
        .then_some(lower)
}
