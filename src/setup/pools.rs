//! A first configuration for the cards of a machine, with comments for whoever goes on from there. Looks at no card.

use std::fmt::Write as _;

/// A physical function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its interface.
    pub name: String,
    /// Its PCI address.
    pub address: String,
    /// Vendor, device and driver, as one would tell them.
    pub what: String,
    /// How many VFs it can make.
    pub total_vfs: u32,
    /// How many it has made.
    pub num_vfs: u32,
    /// Whether the host itself is reached by it, as far as its routes tell.
    pub is_hosts_way: bool,
}

/// What is offered of a card that can make many: a first configuration need not take all.
const FIRST: u32 = 8;

/// The configuration; `parents` are interfaces for macvlans where no card has SR-IOV.
pub fn first_configuration(cards: &[Card], parents: &[String]) -> String {
    let mut text = String::from(
        "# Made by `vfhook setup --pools` from the cards of this machine. Every key is explained in vfhook's nri-config/config.toml.\n\
         # Next: put your own addresses where it says so, `vfhook check-config`, `vfhook provision`, `vfhook doctor`.\n\
         version = 1\n",
    );
    let mut names = Vec::new();
    for card in cards {
        let name = pool_name(&card.name, &names);
        let num_vfs = if card.num_vfs > 0 { card.num_vfs } else { card.total_vfs.min(FIRST) };
        let had = if card.num_vfs > 0 { "what it has" } else { "what `vfhook provision` makes" };
        let way =
            if card.is_hosts_way { "; the host's own default route leaves by it" } else { "" };
        let _ = write!(
            text,
            "\n# {} at {}: {}, {} VFs at most{way}\n[[pool]]\nname = \"{name}\"\nkind = \"sriov\"\npf = [\"{}\"]\nnum_vfs = {num_vfs}{}# {had}\n",
            card.name,
            card.address,
            card.what,
            card.total_vfs,
            card.name,
            " ".repeat(5),
        );
        names.push(name);
    }
    if cards.is_empty() {
        text.push_str("\n# No card of this machine has SR-IOV. A macvlan on an interface gets the same service path.\n");
        for parent in parents.iter().take(1) {
            let name = pool_name(parent, &names);
            let _ = write!(
                text,
                "[[pool]]\nname = \"{name}\"\nkind = \"macvlan\"\npf = [\"{parent}\"]\n"
            );
            names.push(name);
        }
    }
    for (number, pool) in (0..).zip(&names) {
        let _ = write!(
            text,
            "\n# What containers on it get: `vfhook.dev/networks: {pool}-net`. These addresses are an example (RFC 5737): write your own.\n\
             [[network]]\nname = \"{pool}-net\"\npool = \"{pool}\"\ninterface = \"net{}\"\naddresses = [\"{}/24\"]\n\
             # gateway = [\"{}\"]\n# default_route = true\n# vlan = {{ id = 100 }}\n",
            number + 1,
            range(number),
            range(number)
                .split_once(".16-")
                .map_or_else(String::new, |(net, _)| format!("{net}.1")),
        );
    }
    text.push_str(
        "\n# The way to clusterIPs, whose rules only the host has. Uncomment it where Kubernetes services are wanted.\n\
         # [service_path]\n# mode = \"veth\"\n# cidrs = [\"10.96.0.0/12\"]          # kube-apiserver's --service-cluster-ip-range\n\
         # interface = \"svc0\"\n# source = [\"169.254.96.0/20\"]\n",
    );
    text
}

/// An example's addresses; there are three such networks.
fn range(number: u32) -> String {
    let network = ["192.0.2", "198.51.100", "203.0.113"][number as usize % 3];
    // Further cards take other parts of the same network.
    let part = 16 + 64 * (number / 3 % 3);
    format!("{network}.{part}-{network}.{}", part + 47)
}

/// A pool's name from an interface's, which may have what a name may not.
fn pool_name(interface: &str, taken: &[String]) -> String {
    let plain: String = interface
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let plain = plain.trim_matches('-');
    let name = if plain.is_empty() { "pool".to_owned() } else { plain.to_owned() };
    let mut candidates =
        std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}-{number}")));
    candidates.find(|candidate| !taken.contains(candidate)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn card(name: &str, num_vfs: u32) -> Card {
        Card {
            name: name.to_owned(),
            address: "0000:01:00.0".to_owned(),
            what: "8086:10c9, igb".to_owned(),
            total_vfs: 7,
            num_vfs,
            is_hosts_way: false,
        }
    }

    #[test]
    fn what_is_written_is_a_configuration() {
        for count in 0..7 {
            let cards: Vec<Card> =
                (0..count).map(|number| card(&format!("ens{number}f0"), number)).collect();
            let text = first_configuration(&cards, &["eth0".to_owned()]);
            let config = parse(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
            assert_eq!(config.pools.len(), cards.len().max(1), "{text}");
        }
        let commented = first_configuration(&[card("ens1f0", 0)], &[])
            .replace("# gateway", "gateway")
            .replace("# [", "[");
        let commented = ["mode", "cidrs", "interface", "source", "default_route", "vlan"]
            .iter()
            .fold(commented, |text, key| text.replace(&format!("# {key} ="), &format!("{key} =")));
        parse(&commented).unwrap_or_else(|problems| panic!("{problems:?}\n{commented}"));
        assert!(parse(&first_configuration(&[], &[])).is_ok());
    }
}
