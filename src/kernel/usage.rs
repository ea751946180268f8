//! Looks for everybody who uses an interface of the host. Most of it is in files, so that an attachment pays at most one message for
//! it; judges nothing.

use std::fs;

use crate::{
    inventory::{Below, Link, Use},
    kernel::{
        KernelError, LinuxKernel,
        rtnetlink::{self, address, route_message},
    },
    types::KernelText,
};

/// The uses of an interface of the host; fills in its addresses.
pub(super) fn of(kernel: &mut LinuxKernel, link: &mut Link) -> Result<Vec<Use>, KernelError> {
    link.addresses = address::of_somebody(&mut kernel.host, link)?;
    let sysfs = &kernel.sysfs;
    let mut uses = Use::shown_by(link, |_| sysfs.master(&link.name));
    uses.extend(uppers(kernel, link)?.into_iter().map(Use::Under));
    if packet_socket_on(link.index) {
        uses.push(Use::PacketSocket);
    }
    // Nothing leaves by an interface that is down, and nothing that stands on it has a carrier.
    if link.up {
        let is_under = uses.iter().any(|found| matches!(found, Use::Under(_) | Use::PortOf(_)));
        if !is_under && hears_for_another(link.index) {
            uses.push(Use::UnderUnseen);
        }
        let routes = route_message::leaving_by(&mut kernel.host, link.index)?;
        uses.extend(routes.into_iter().map(|(to, table)| Use::Route(to, table)));
    }
    Ok(uses)
}

/// The names of the host's interfaces that stand on one. Netlink is asked where sysfs does not show interfaces whole, since it
/// would have to tell of all there are.
fn uppers(kernel: &mut LinuxKernel, link: &Link) -> Result<Vec<KernelText>, KernelError> {
    if let Some(mut uppers) = kernel.sysfs.uppers(&link.name) {
        let master = link.master.and_then(|_| kernel.sysfs.master(&link.name));
        uppers.retain(|upper| Some(upper) != master.as_ref());
        return Ok(uppers);
    }
    let all = rtnetlink::link::all(&mut kernel.host)?.into_iter();
    Ok(all.filter(|other| stands_on(other, link)).map(|upper| upper.name).collect())
}

/// Whether one interface stands on another one of the same namespace. The ends of a pair name each other, and neither does.
fn stands_on(upper: &Link, lower: &Link) -> bool {
    let names =
        |one: &Link, other: &Link| one.below == Some(Below { index: other.index, namespace: None });
    names(upper, lower) && !names(lower, upper) && upper.index != lower.index
}

/// Whether a packet socket of this namespace is bound to the interface with this number. One that hears all interfaces uses none.
fn packet_socket_on(index: u32) -> bool {
    let Ok(sockets) = fs::read_to_string("/proc/thread-self/net/packet") else { return false };
    let bound = sockets.lines().skip(1).filter_map(|line| line.split_whitespace().nth(4));
    bound.filter_map(|number| number.parse().ok()).any(|number: u32| number == index)
}

/// Whether an interface that is up receives for another one that stands on it, wherever that is. Each that speaks IPv4 joins the
/// group of all hosts, and what stands on another joins there too.
fn hears_for_another(index: u32) -> bool {
    const ALL_HOSTS: &[u8] = b"01005e000001";
    let Ok(groups) = fs::read("/proc/thread-self/net/dev_mcast") else { return false };
    let of_it = groups.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse::<u32>().ok();
        let found = number(words.next()?)?;
        let (_, joined, _, group) = (words.next()?, words.next()?, words.next()?, words.next()?);
        (found == index && group == ALL_HOSTS).then(|| number(joined))?
    });
    of_it.sum::<u32>() > 1
}
