//! What a sandbox reaches by its own devices, and the view of services that all sandboxes with the same reach share. Decides nothing.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Name, digest};

/// The networks that a sandbox has interfaces in, each with the prefixes that it has addresses of.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reach(BTreeSet<(Name, IpNet)>);

impl Reach {
    /// Of these addresses in these networks.
    pub fn of<'a>(addresses: impl IntoIterator<Item = (&'a Name, &'a IpNet)>) -> Self {
        let prefixes = addresses.into_iter().map(|(name, address)| (name.clone(), address.trunc()));
        Self(prefixes.collect())
    }

    /// Whether nothing is reached.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is on one of its wires.
    pub fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(_, prefix)| prefix.contains(&address))
    }

    /// Each network with a prefix.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &IpNet)> {
        self.0.iter().map(|(name, prefix)| (name, prefix))
    }

    /// The view of services that it has.
    pub fn view(&self) -> View {
        let words = self.0.iter().map(|(name, prefix)| format!("{name} {prefix};"));
        View(digest(&words.collect::<String>()))
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.iter().map(|(name, prefix)| format!("{name} ({prefix})"));
        f.write_str(&words.collect::<Vec<_>>().join(", "))
    }
}

/// Which services a sandbox sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct View(pub u64);

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(words: &[(&str, &str)]) -> Reach {
        let parsed: Vec<(Name, IpNet)> = words
            .iter()
            .map(|(name, address)| (name.parse().unwrap(), address.parse().unwrap()))
            .collect();
        Reach::of(parsed.iter().map(|(name, address)| (name, address)))
    }

    #[test]
    fn sandboxes_of_the_same_networks_share_a_view() {
        let one = reach(&[("storage", "192.168.0.16/24"), ("backup", "172.16.0.9/22")]);
        let other = reach(&[("backup", "172.16.1.7/22"), ("storage", "192.168.0.200/24")]);
        assert_eq!(one.view(), other.view());
        for another in [
            reach(&[("storage", "192.168.0.16/24")]),
            reach(&[("storage", "192.168.0.16/25"), ("backup", "172.16.0.9/22")]),
            // The same numbers on another wire are other machines.
            reach(&[("other", "192.168.0.16/24"), ("backup", "172.16.0.9/22")]),
        ] {
            assert_ne!(one.view(), another.view(), "{another}");
        }
        assert_eq!(
            reach(&[("storage", "192.168.0.16/24")]).to_string(),
            "storage (192.168.0.0/24)"
        );
    }
}
