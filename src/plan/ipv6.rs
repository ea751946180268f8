//! The steps that say how an interface of ours speaks IPv6. What nobody gave, nobody gets: a router on the other side, or who pretends
//! to be one, gives no address and no route.

use super::{
    PlannedStep, Undo,
    step::{Place, Step},
};
use crate::{inventory::Ipv6, types::InterfaceName};

/// How an interface shall speak IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// Not at all.
    Nothing,
    /// It passes packets on, has no address itself and believes no router.
    Unaddressed,
    /// Where the namespace lets it, with its link-local address alone; it believes no router.
    LinkLocal,
    /// With the addresses that it is given; it believes no router.
    Given,
    /// As the kernel is set, so that it may believe routers.
    AsTold,
}

/// The steps, for an interface that has no carrier yet: what comes in before them is believed.
pub(super) fn steps(
    place: Place,
    name: &InterfaceName,
    ipv6: Ipv6,
    speaks: Speaks,
    undo: &Undo,
) -> Vec<PlannedStep> {
    if ipv6 == Ipv6::Absent {
        return Vec::new();
    }
    let quiet = [("accept_ra", "0"), ("autoconf", "0"), ("accept_redirects", "0")];
    let (on, off) = (("disable_ipv6", "0"), ("disable_ipv6", "1"));
    let is_off = ipv6 == Ipv6::Off;
    let settings = match speaks {
        Speaks::Nothing | Speaks::LinkLocal if is_off => Vec::new(),
        // Quiet too, should somebody switch it on.
        Speaks::Nothing => quiet.into_iter().chain([off]).collect(),
        Speaks::Unaddressed => {
            quiet.into_iter().chain([("addr_gen_mode", "1")]).chain(is_off.then_some(on)).collect()
        }
        Speaks::LinkLocal => quiet.to_vec(),
        // Quiet before it is switched on.
        Speaks::Given => quiet.into_iter().chain(is_off.then_some(on)).collect(),
        Speaks::AsTold => is_off.then_some(on).into_iter().collect(),
    };
    let step = |(switch, value): (&str, &str)| {
        let key = format!("ipv6/conf/{name}/{switch}");
        PlannedStep::new(Step::WriteSysctl { place, key, value: value.to_owned() }, undo.clone())
    };
    settings.into_iter().map(step).collect()
}
