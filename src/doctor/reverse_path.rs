//! Whether strict reverse path filtering is in the way. The higher of `all` and the interface's own value counts, and an
//! interface is made with that of `default`: 1 drops what comes in by another interface than an answer would leave by.
//!
//! The service path as such stands it: each source has a route back over the interface that it comes by. What does not is
//! a packet with another source address.

use super::{Facts, Finding};
use crate::config::{Config, ServicePathMode};

const STRICT: u32 = 1;

/// Interfaces that will be made, ours on the host and a sandbox's own (a new namespace begins with the host's values).
pub(super) fn strict(facts: &Facts, config: &Config) -> Vec<Finding> {
    let (all, default) = (
        facts.host.sysctl("ipv4/conf/all/rp_filter"),
        facts.host.sysctl("ipv4/conf/default/rp_filter"),
    );
    if all.max(default) != STRICT {
        return Vec::new();
    }
    let breaks = match config.service_path.mode {
        ServicePathMode::Veth => {
            "the host drops what a container sends over the service path with its VF's address (programs bound to it, \
             answers to clients in cidrs); sandboxes that are attached already must be attached anew after the change"
        }
        // Without a default route over the device both directions stay on the interface that was there.
        _ if !config.networks.values().any(|network| network.default_route) => return Vec::new(),
        _ => {
            "sandboxes begin with the host's value and drop what reaches their other interface from outside cidrs, such as \
             the kubelet's probes: the way back leads over the VF"
        }
    };
    let subject = if all == STRICT {
        "net.ipv4.conf.all.rp_filter"
    } else {
        "net.ipv4.conf.default.rp_filter"
    };
    vec![
        Finding::warning(subject, breaks)
            .run(["sysctl -w net.ipv4.conf.default.rp_filter=2".to_owned()]),
    ]
}
