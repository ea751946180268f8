//! Whether the kernel has what vfhook cannot do without: numbered namespaces, IPv6 where that is asked for.

use super::{Code, Facts, Finding, has_family, has_veth};
use crate::{
    config::{Config, PoolKind},
    inventory::{Ability, Ipv6},
    types::{AddressRange, Upper},
};

/// Whether namespaces have numbers.
pub(super) fn floor(facts: &Facts) -> Vec<Finding> {
    if facts.host.has_cookies {
        return Vec::new();
    }
    let breaks = "it does not number network namespaces (SO_NETNS_COOKIE), by which vfhook knows sandboxes again: nothing can \
                  be attached";
    let finding =
        Finding::error(Code::KernelTooOld, format!("kernel {}", facts.host.release), breaks);
    vec![finding.advise("start Linux 5.14 or later")]
}

fn makes(config: &Config, is_it: impl Fn(Upper) -> bool) -> bool {
    config.pools.values().filter_map(|pool| pool.kind.upper()).any(is_it)
}

/// Whether it can make what the configuration needs.
pub(super) fn abilities(facts: &Facts, config: &Config) -> Vec<Finding> {
    let needs = |ability: Ability| match ability {
        Ability::Macvlan => makes(config, |upper| matches!(upper, Upper::Macvlan(_))),
        Ability::Ipvlan => makes(config, |upper| matches!(upper, Upper::Ipvlan(_))),
        Ability::Vlan => config.pools.values().any(|pool| pool.kind == PoolKind::Vlan),
        Ability::Bond => config.pools.values().any(|pool| pool.kind == PoolKind::Bond),
        Ability::Veth | Ability::Masquerade => has_veth(config),
    };
    // Without nf_tables as a whole, that is what is said.
    let said = |ability: Ability| ability == Ability::Masquerade && facts.host.chains.is_none();
    let lacking = facts.host.lacking.iter().copied();
    lacking
        .filter(|ability| needs(*ability) && !said(*ability))
        .map(|ability| {
            let (what, modules) = match ability {
                Ability::Veth => ("veth pairs for the service path", "veth"),
                Ability::Macvlan => ("macvlans", "macvlan"),
                Ability::Ipvlan => ("ipvlans", "ipvlan"),
                Ability::Vlan => ("VLAN interfaces", "8021q"),
                // By itself it makes a bond0 on the host.
                Ability::Bond => ("bonds", "bonding max_bonds=0"),
                Ability::Masquerade => {
                    ("rules that masquerade the service path", "nft_chain_nat nft_masq")
                }
            };
            let breaks = format!("the kernel cannot make {what}, so attaching fails");
            // With -a each word is a module.
            let all = if ability == Ability::Bond { "" } else { "-a " };
            let load = format!(
                "`modprobe {all}{modules}`; where there are no such modules, install the rest of the distribution's kernel \
                 {} (Debian: linux-image-amd64 and not -cloud; Ubuntu: linux-modules-extra; RHEL: kernel-modules)",
                facts.host.release
            );
            Finding::error(Code::KernelLacksModule, modules, breaks).advise(load)
        })
        .collect()
}

/// Whether there is IPv6 for what wants it.
pub(super) fn ipv6(facts: &Facts, config: &Config) -> Vec<Finding> {
    let mut addresses = config.networks.values().flat_map(|network| &network.addresses);
    let wanted = has_family(config, true) || addresses.any(AddressRange::is_ipv6);
    match facts.host.ipv6 {
        Ipv6::Absent if wanted => {
            let breaks = "the kernel has no IPv6, and the configuration gives IPv6 addresses: attaching is refused";
            let advice = "start the kernel without ipv6.disable=1, or take IPv6 out of networks and service_path";
            vec![Finding::error(Code::NoIpv6, "ipv6.disable", breaks).advise(advice)]
        }
        Ipv6::Off if has_family(config, true) => {
            let breaks = "interfaces appear without IPv6; vfhook switches it on for its own, and IPv6 services answer only where \
                          the host's other interfaces have it";
            vec![Finding::info(
                Code::Ipv6OffByDefault,
                "net.ipv6.conf.default.disable_ipv6",
                breaks,
            )]
        }
        _ => Vec::new(),
    }
}
