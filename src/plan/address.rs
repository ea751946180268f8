//! In which order addresses are tried.

use ipnet::IpNet;

use crate::types::{AddressRange, Name, SandboxId, digest};

/// How many addresses are tried at most: more leases than that fit on no machine.
const TRIES: u128 = 1 << 16;

/// Where a sandbox begins to look for an address on a network. A sandbox that comes again (a container that is
/// restarted) finds its old address first, and an address that was just given up rests.
pub fn seed(id: &SandboxId, network: Option<&Name>) -> u64 {
    digest(&format!("{id}@{}", network.map_or("", Name::as_str)))
}

/// The addresses of one family in `ranges`, each once, beginning at a place that `seed` decides.
pub fn candidates(ranges: &[AddressRange], ipv6: bool, seed: u64) -> impl Iterator<Item = IpNet> {
    let ranges: Vec<AddressRange> =
        ranges.iter().filter(|range| range.is_ipv6() == ipv6).copied().collect();
    let size = ranges.iter().fold(0_u128, |size, range| size.saturating_add(range.size()));
    let start = u128::from(seed) % size.max(1);
    (0..size.min(TRIES)).filter_map(move |offset| nth(&ranges, (start + offset) % size))
}

fn nth(ranges: &[AddressRange], mut index: u128) -> Option<IpNet> {
    for range in ranges {
        if index < range.size() {
            return range.nth(index);
        }
        index -= range.size();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_address_comes_exactly_once(seed: u64) {
            let ranges: Vec<AddressRange> =
                ["10.0.0.1-10.0.0.9/24", "10.0.1.0/30", "fd00::/120"].map(|text| text.parse().unwrap()).into();
            let found: Vec<IpNet> = candidates(&ranges, false, seed).collect();
            prop_assert_eq!(found.len(), 11);
            prop_assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 11);
        }
    }

    #[test]
    fn no_range_no_address_and_a_huge_one_does_not_overflow() {
        assert_eq!(candidates(&[], false, 7).count(), 0);
        let everything: AddressRange = "::/0".parse().unwrap();
        assert!(candidates(&[everything, everything], true, u64::MAX).next().is_some());
    }
}
