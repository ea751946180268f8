//! Hears of links of ours that come to the host or go from it.

use std::time::Duration;

use netlink_packet_route::{RouteNetlinkMessage, link::LinkAttribute};

use crate::kernel::{KernelError, netlink::socket::Netlink};
use crate::types::{InterfaceName, OwnerTag};

/// How long one wait lasts at most; only so that nothing waits for ever on a lost event.
const PATIENCE: Duration = Duration::from_secs(60);

/// A subscription to the links of the namespace it was opened in.
pub struct LinkEvents {
    netlink: Netlink,
}

impl LinkEvents {
    /// Subscribes.
    pub fn open() -> Result<Self, KernelError> {
        let netlink = Netlink::link_events()
            .map_err(KernelError::refused("listen to", "interface events"))?;
        Ok(Self { netlink })
    }

    /// Waits until a link appears, changes or vanishes that carries our tag or has a name of ours.
    pub fn wait_for_ours(&mut self) -> Result<(), KernelError> {
        loop {
            let heard = self
                .netlink
                .heard(PATIENCE)
                .map_err(KernelError::refused("listen to", "interface events"))?;
            if heard.iter().any(is_ours) {
                return Ok(());
            }
        }
    }
}

fn is_ours(event: &RouteNetlinkMessage) -> bool {
    let (RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link)) = event else {
        return false;
    };
    link.attributes.iter().any(|attribute| match attribute {
        LinkAttribute::IfName(name) => name.starts_with(InterfaceName::OURS),
        LinkAttribute::IfAlias(alias) => OwnerTag::parse(alias).is_some(),
        _ => false,
    })
}
