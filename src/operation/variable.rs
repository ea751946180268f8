//! The variables by which a container is told which devices of a network it may use. Knows nothing of what they are.

use std::collections::BTreeMap;

use crate::types::Name;

/// Each network with its devices, after `prefix`: `VFHOOK_VFIO_DATA=0000:01:10.0,0000:01:10.2` for network `data`.
pub(super) fn variables<'a>(
    prefix: &str,
    devices: impl Iterator<Item = (&'a Name, String)>,
) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (network, device) in devices {
        let network = network.as_str().to_ascii_uppercase().replace('-', "_");
        found.entry(format!("{prefix}{network}")).or_default().push(device);
    }
    found.into_iter().map(|(name, devices)| (name, devices.join(","))).collect()
}
