//! Links, addresses, routes, neighbours and the VFs of a card, as routing netlink speaks of them (`linux/rtnetlink.h`, `linux/if_link.h`).

pub(crate) mod address;
pub(crate) mod announce;
pub(crate) mod ask;
pub(crate) mod bond;
pub(crate) mod configure_vf;
pub(crate) mod events;
mod index;
pub(crate) mod interface_sysctls;
pub(crate) mod kept;
pub(crate) mod link;
pub(crate) mod link_message;
pub(crate) mod make_link;
pub(crate) mod neighbour;
pub(crate) mod netns_number;
pub(crate) mod put_back;
pub(crate) mod return_device;
pub(crate) mod route;
pub(crate) mod route_message;
pub(crate) mod rule;
pub(crate) mod settings;
pub(crate) mod switch;
pub(crate) mod traffic;
pub(crate) mod uppers;
pub(crate) mod vf;
