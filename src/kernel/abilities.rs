//! What this kernel can make, asked of the kernel itself in a namespace that nobody else sees and that ends with the asking:
//! a module may be built in, loaded when it is asked for, or not there, and no file tells in every container. The kernel may
//! load its module to answer.

use std::{collections::BTreeSet, panic, thread};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage},
};
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
};

use crate::{
    inventory::Ability,
    kernel::{LinuxKernel, netfilter::masquerade, netlink::socket::Netlink, rtnetlink::bond},
};

/// What cannot be made. Nothing, where nobody may ask.
pub(super) fn lacking() -> BTreeSet<Ability> {
    thread::scope(|scope| {
        let asked = scope.spawn(|| match unshare(CloneFlags::CLONE_NEWNET) {
            Ok(()) => ask(),
            Err(_) => BTreeSet::new(),
        });
        asked.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

fn ask() -> BTreeSet<Ability> {
    let mut lacking = BTreeSet::new();
    if !bond::is_loaded() {
        lacking.insert(Ability::Bond);
    }
    if let Ok(mut netlink) = Netlink::route() {
        for (ability, kind) in [
            (Ability::Veth, InfoKind::Veth),
            (Ability::Macvlan, InfoKind::MacVlan),
            (Ability::Ipvlan, InfoKind::IpVlan),
            (Ability::Vlan, InfoKind::Vlan),
        ] {
            if !knows(&mut netlink, kind) {
                lacking.insert(ability);
            }
        }
    }
    if let Ok(mut kernel) = LinuxKernel::open() {
        let refused = masquerade::install(&mut kernel, &masquerade::example());
        // Whoever may not ask is not told.
        let unknown = |errno| {
            matches!(errno, Some(Errno::ENOENT | Errno::EOPNOTSUPP | Errno::EPROTONOSUPPORT))
        };
        if refused.is_err_and(|error| unknown(error.errno())) {
            lacking.insert(Ability::Masquerade);
        }
    }
    lacking
}

/// Whether the kernel knows links of this kind. One that it knows it may refuse to make for want of a parent.
fn knows(netlink: &mut Netlink, kind: InfoKind) -> bool {
    let mut message = LinkMessage::default();
    message.attributes = vec![LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)])];
    let made = netlink.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL);
    !made.is_err_and(|refusal| refusal.errno == Errno::EOPNOTSUPP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_known_and_what_is_not_is_not() {
        // Not every kernel that this is tried on has ipvlans and VLANs, or its module for bonds loaded.
        let not_everywhere = BTreeSet::from([Ability::Ipvlan, Ability::Vlan, Ability::Bond]);
        assert_eq!(&lacking() - &not_everywhere, BTreeSet::new());
        let knows_nonsense = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            knows(&mut Netlink::route().unwrap(), InfoKind::Other("nonsense".to_owned()))
        });
        assert!(!knows_nonsense.join().unwrap());
    }
}
