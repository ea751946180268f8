//! `sysctls` of a `[[network]]`: how its interface behaves inside, as far as that can do no harm outside.

use std::collections::BTreeMap;

use super::section::{Section, fit_to_print, shown};

/// What may be set, each with the values that it may have: switches of one interface that change nothing beyond it. Those that would
/// make a sandbox a router (`forwarding`, `proxy_arp`) are not among them.
const SAFE: [(&str, &str, &[i64]); 22] = [
    ("ipv4", "accept_local", &[0, 1]),
    ("ipv4", "arp_accept", &[0, 1, 2]),
    ("ipv4", "arp_announce", &[0, 1, 2]),
    ("ipv4", "arp_filter", &[0, 1]),
    ("ipv4", "arp_ignore", &[0, 1, 2, 3, 8]),
    ("ipv4", "arp_notify", &[0, 1]),
    ("ipv4", "rp_filter", &[0, 1, 2]),
    ("ipv4", "send_redirects", &[0, 1]),
    ("ipv4", "src_valid_mark", &[0, 1]),
    ("ipv6", "accept_dad", &[0, 1, 2]),
    ("ipv6", "accept_ra", &[0, 1, 2]),
    ("ipv6", "accept_ra_defrtr", &[0, 1]),
    ("ipv6", "accept_ra_pinfo", &[0, 1]),
    ("ipv6", "accept_ra_rtr_pref", &[0, 1]),
    ("ipv6", "addr_gen_mode", &[0, 1, 3]),
    ("ipv6", "autoconf", &[0, 1]),
    ("ipv6", "dad_transmits", &[0, 1, 2, 3, 4, 5]),
    ("ipv6", "disable_ipv6", &[0, 1]),
    ("ipv6", "keep_addr_on_down", &[-1, 0, 1]),
    ("ipv6", "ndisc_notify", &[0, 1]),
    ("ipv6", "optimistic_dad", &[0, 1]),
    ("ipv6", "use_tempaddr", &[0, 1, 2]),
];

/// The switches that are set, as `ipv4/arp_ignore`, with their values.
pub type InterfaceSysctls = BTreeMap<String, i64>;

pub(super) fn read(section: &mut Section) -> InterfaceSysctls {
    let mut found = InterfaceSysctls::new();
    for (key, value) in section.rest() {
        let shown_key = fit_to_print(&key).into_owned();
        let Some((family, name, values)) = SAFE.iter().find(|(_, name, _)| *name == key) else {
            let known: Vec<&str> = SAFE.iter().map(|(_, name, _)| *name).collect();
            let message = format!("may not be set (what may: {})", known.join(", "));
            section.problem(&shown_key, message);
            continue;
        };
        if let Some(value) = value.as_integer().filter(|value| values.contains(value)) {
            found.insert(format!("{family}/{name}"), value);
        } else {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            let message = format!("expected {}, found {}", values.join(", "), shown(&value));
            section.problem(&shown_key, message);
        }
    }
    found
}

/// IPv6 addresses and an interface without IPv6 are a contradiction.
pub(super) fn check(section: &mut Section, sysctls: &InterfaceSysctls, has_ipv6: bool) {
    if has_ipv6 && sysctls.get("ipv6/disable_ipv6") == Some(&1) {
        section.problem("sysctls.disable_ipv6", "addresses has IPv6 addresses, which need it");
    }
}
