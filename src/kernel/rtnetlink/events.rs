//! Hears of links of ours that come to the host or go from it.

use std::time::Duration;

use crate::{
    kernel::{
        KernelError,
        netlink::socket::{Message, Netlink},
        rtnetlink::link_message,
    },
    types::OwnerTag,
};

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

fn is_ours(event: &Message) -> bool {
    let Some(link) = link_message::read(event) else { return false };
    let tagged = link.alias.as_ref().is_some_and(|alias| OwnerTag::parse(alias).is_some());
    tagged || link.name.is_ours()
}
