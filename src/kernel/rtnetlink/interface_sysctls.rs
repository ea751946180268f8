//! The sysctls of an interface as a message about it has them (`IFLA_INET_CONF` and `IFLA_INET6_CONF`): all of them in the answer that is asked
//! for anyway, where reading each as a file would cost a hundred times as much. The few that it leaves out are
//! read as files; none is written here.

use std::collections::BTreeMap;

use crate::{
    inventory::Sysctls,
    kernel::{
        netlink::{
            attribute::{find, signed, word},
            socket::Message,
        },
        rtnetlink::link_message,
        sysctl,
    },
    types::KernelText,
};

/// Of a link's message, and below it.
mod attribute {
    pub(super) const BY_FAMILY: u16 = 26;
    pub(super) const VALUES_OF_4: u16 = 1;
    pub(super) const VALUES_OF_6: u16 = 2;
}

/// What may be written of `net/ipv4/conf/INTERFACE`, in the order of `IPV4_DEVCONF_*` of `linux/ip.h`; empty for what may not be.
const OF_4: [&str; 33] = [
    "forwarding",
    "",
    "proxy_arp",
    "accept_redirects",
    "secure_redirects",
    "send_redirects",
    "shared_media",
    "rp_filter",
    "accept_source_route",
    "bootp_relay",
    "log_martians",
    "tag",
    "arp_filter",
    "medium_id",
    "disable_xfrm",
    "disable_policy",
    "force_igmp_version",
    "arp_announce",
    "arp_ignore",
    "promote_secondaries",
    "arp_accept",
    "arp_notify",
    "accept_local",
    "src_valid_mark",
    "proxy_arp_pvlan",
    "route_localnet",
    "igmpv2_unsolicited_report_interval",
    "igmpv3_unsolicited_report_interval",
    "ignore_routes_with_linkdown",
    "drop_unicast_in_l2_multicast",
    "drop_gratuitous_arp",
    "bc_forwarding",
    "arp_evict_nocarrier",
];

/// The same of `net/ipv6/conf/INTERFACE`, in the order of `DEVCONF_*` of `linux/ipv6.h`. The secret of stable addresses is not told.
const OF_6: [&str; 60] = [
    "forwarding",
    "hop_limit",
    "mtu",
    "accept_ra",
    "accept_redirects",
    "autoconf",
    "dad_transmits",
    "router_solicitations",
    "router_solicitation_interval",
    "router_solicitation_delay",
    "use_tempaddr",
    "temp_valid_lft",
    "temp_prefered_lft",
    "regen_max_retry",
    "max_desync_factor",
    "max_addresses",
    "force_mld_version",
    "accept_ra_defrtr",
    "accept_ra_pinfo",
    "accept_ra_rtr_pref",
    "router_probe_interval",
    "accept_ra_rt_info_max_plen",
    "proxy_ndp",
    "optimistic_dad",
    "accept_source_route",
    "",
    "disable_ipv6",
    "accept_dad",
    "force_tllao",
    "ndisc_notify",
    "mldv1_unsolicited_report_interval",
    "mldv2_unsolicited_report_interval",
    "suppress_frag_ndisc",
    "accept_ra_from_local",
    "use_optimistic",
    "accept_ra_mtu",
    "",
    "use_oif_addrs_only",
    "accept_ra_min_hop_limit",
    "ignore_routes_with_linkdown",
    "drop_unicast_in_l2_multicast",
    "drop_unsolicited_na",
    "keep_addr_on_down",
    "router_solicitation_max_interval",
    "seg6_enabled",
    "seg6_require_hmac",
    "enhanced_dad",
    "addr_gen_mode",
    "disable_policy",
    "accept_ra_rt_info_min_plen",
    "ndisc_tclass",
    "rpl_seg_enabled",
    "ra_defrtr_metric",
    "ioam6_enabled",
    "ioam6_id",
    "ioam6_id_wide",
    "ndisc_evict_nocarrier",
    "accept_untracked_na",
    "accept_ra_min_lft",
    "force_forwarding",
];

/// Those that a message does not tell of: each is a file to be read. They are in no kernel before 6.9.
const UNTOLD: [&str; 3] =
    ["ipv6/ra_honor_pio_life", "ipv6/ra_honor_pio_pflag", "ipv6/regen_min_advance"];

/// How neighbours are asked for: files too. Kept of devices that are given whole; nobody but the host sets them.
const OF_NEIGHBOURS: [&str; 26] = [
    "ipv4/neigh/anycast_delay",
    "ipv4/neigh/app_solicit",
    "ipv4/neigh/base_reachable_time_ms",
    "ipv4/neigh/delay_first_probe_time",
    "ipv4/neigh/gc_stale_time",
    "ipv4/neigh/interval_probe_time_ms",
    "ipv4/neigh/locktime",
    "ipv4/neigh/mcast_resolicit",
    "ipv4/neigh/mcast_solicit",
    "ipv4/neigh/proxy_delay",
    "ipv4/neigh/proxy_qlen",
    "ipv4/neigh/retrans_time_ms",
    "ipv4/neigh/ucast_solicit",
    "ipv6/neigh/anycast_delay",
    "ipv6/neigh/app_solicit",
    "ipv6/neigh/base_reachable_time_ms",
    "ipv6/neigh/delay_first_probe_time",
    "ipv6/neigh/gc_stale_time",
    "ipv6/neigh/interval_probe_time_ms",
    "ipv6/neigh/locktime",
    "ipv6/neigh/mcast_resolicit",
    "ipv6/neigh/mcast_solicit",
    "ipv6/neigh/proxy_delay",
    "ipv6/neigh/proxy_qlen",
    "ipv6/neigh/retrans_time_ms",
    "ipv6/neigh/ucast_solicit",
];

/// Told in milliseconds, written in seconds.
const IN_SECONDS: [&str; 4] = [
    "router_solicitation_interval",
    "router_solicitation_delay",
    "router_probe_interval",
    "router_solicitation_max_interval",
];

/// Those that are no signed numbers.
const UNSIGNED: [&str; 3] = ["ra_defrtr_metric", "ioam6_id", "ioam6_id_wide"];

/// The sysctls of the host's interface of this name, from what netlink told of it and the few files that this leaves out.
pub(crate) fn whole(name: &KernelText, message: &Message) -> Sysctls {
    let mut found = read(link_message::attributes(&message.body));
    found.0.extend(sysctl::read_of(name, &UNTOLD));
    found
}

/// The same with those of its neighbours.
pub(crate) fn with_neighbours(name: &KernelText, message: &Message) -> Sysctls {
    let mut found = whole(name, message);
    found.0.extend(sysctl::read_of(name, &OF_NEIGHBOURS));
    found
}

/// The sysctls of the interface that a link's attributes tell of, as their files show them.
pub(crate) fn read(attributes: &[u8]) -> Sysctls {
    let values = |family: i32, kind| {
        let families = find(attributes, attribute::BY_FAMILY)?;
        find(find(families, u16::try_from(family).ok()?)?, kind)
    };
    let mut found = BTreeMap::new();
    let ipv4 = values(nix::libc::AF_INET, attribute::VALUES_OF_4);
    let ipv6 = values(nix::libc::AF_INET6, attribute::VALUES_OF_6);
    add(&mut found, "ipv4", &OF_4, ipv4.unwrap_or_default());
    add(&mut found, "ipv6", &OF_6, ipv6.unwrap_or_default());
    Sysctls(found)
}

fn add(found: &mut BTreeMap<String, String>, family: &str, names: &[&str], values: &[u8]) {
    for (name, value) in names.iter().zip(values.chunks_exact(4)) {
        let number = if UNSIGNED.contains(name) {
            word(value).map(i64::from)
        } else {
            signed(value).map(i64::from)
        };
        let Some(number) = number.filter(|_| !name.is_empty()) else { continue };
        let shown = if IN_SECONDS.contains(name) { number.div_euclid(1000) } else { number };
        found.insert(format!("{family}/{name}"), shown.to_string());
    }
}
