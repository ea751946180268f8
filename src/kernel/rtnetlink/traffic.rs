//! Reads what the interfaces of the sandbox have carried (`IFLA_STATS64` of `linux/if_link.h`), by one message.

use std::collections::BTreeMap;

use netlink_packet_route::{RouteNetlinkMessage, link::LinkMessage};

use crate::{
    inventory::{Count, Traffic},
    kernel::{
        KernelError, LinuxKernel,
        netlink::{attribute::find, socket::Message},
        rtnetlink::{link::refused, link_message},
    },
    plan::step::Place,
    types::KernelText,
};

/// `IFLA_STATS64`.
const STATISTICS: u16 = 23;

/// By the names of the interfaces.
pub(crate) fn all(kernel: &mut LinuxKernel) -> Result<BTreeMap<KernelText, Traffic>, KernelError> {
    let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let answers = kernel
        .netlink(Place::Sandbox)?
        .dump(&question)
        .map_err(refused("count the packets of", "the sandbox"))?;
    Ok(answers.iter().filter_map(read).collect())
}

fn read(message: &Message) -> Option<(KernelText, Traffic)> {
    let (name, _) = link_message::known_by(message)?;
    let counts = find(link_message::attributes(&message.body), STATISTICS)?;
    Some((name, traffic(counts)?))
}

/// The members of `struct rtnl_link_stats64` in their order; each newer kernel adds some at the end.
fn traffic(counts: &[u8]) -> Option<Traffic> {
    let mut numbers =
        counts.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok()).map(u64::from_ne_bytes);
    let [
        received,
        sent,
        bytes_received,
        bytes_sent,
        broken_received,
        broken_sent,
        dropped_received,
        dropped_sent,
    ] = std::array::from_fn(|_| numbers.next());
    let count = |packets, bytes, broken: Option<u64>, dropped: Option<u64>| {
        Some(Count { packets: packets?, bytes: bytes?, lost: broken?.saturating_add(dropped?) })
    };
    Some(Traffic {
        received: count(received, bytes_received, broken_received, dropped_received)?,
        sent: count(sent, bytes_sent, broken_sent, dropped_sent)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_numbers_are_read_in_their_order_and_fewer_are_none() {
        let bytes = |numbers: u64| (1..=numbers).flat_map(u64::to_ne_bytes).collect::<Vec<_>>();
        let read = traffic(&bytes(25)).unwrap();
        assert_eq!(read.received, Count { packets: 1, bytes: 3, lost: 5 + 7 });
        assert_eq!(read.sent, Count { packets: 2, bytes: 4, lost: 6 + 8 });
        assert_eq!(traffic(&bytes(7)), None);
    }
}
