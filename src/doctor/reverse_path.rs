//! Whether reverse path filtering is in the way. The higher of `all` and the interface's own value counts, and an interface is
//! made with that of `default`: 1 drops what comes in by another interface than an answer would leave by. 2 does the same on
//! an interface without an address, as our end of a veth pair is.
//!
//! The service path as such stands it: each source has a route back over the interface that it comes by. What does not is
//! a packet with another source address.

use super::{Code, Facts, Finding};
use crate::config::Config;

const KEYS: [&str; 2] = ["all", "default"];
const STRICT: u32 = 1;

/// Interfaces that will be made, ours on the host and a sandbox's own (a new namespace begins with the host's values).
pub(super) fn filtered(facts: &Facts, config: &Config) -> Vec<Finding> {
    let value = |key: &str| facts.host.sysctl(&format!("ipv4/conf/{key}/rp_filter"));
    let set: Vec<&str> = KEYS.into_iter().filter(|key| value(key) != 0).collect();
    let highest = KEYS.map(value).into_iter().max();
    let Some(first) = set.first() else { return Vec::new() };
    let subject = format!("net.ipv4.conf.{first}.rp_filter");
    if config.service_path.mode.has_pair() {
        let breaks = "the host drops what a container sends over the service path with its VF's address (programs bound to \
                      it, answers to clients in cidrs); where that matters, switch it off and attach anew";
        let off = set.iter().map(|key| format!("sysctl -w net.ipv4.conf.{key}.rp_filter=0"));
        return vec![Finding::info(Code::ReversePathOfServicePath, subject, breaks).run(off)];
    }
    // Without a default route over the device both directions stay on the interface that was there.
    if highest != Some(STRICT) || !config.networks.values().any(|network| network.default_route) {
        return Vec::new();
    }
    let breaks = "sandboxes begin with the host's value and drop what reaches their other interface from outside cidrs, \
                  such as the kubelet's probes: the way back leads over the VF";
    let lax = "sysctl -w net.ipv4.conf.default.rp_filter=2".to_owned();
    vec![Finding::warning(Code::ReversePathOfSandbox, subject, breaks).run([lax])]
}
