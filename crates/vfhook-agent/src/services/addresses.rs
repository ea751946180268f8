//! What the pods of this node have on vfhook's networks, as their leases say. Pure.

use std::{collections::BTreeMap, net::IpAddr};

use vfhook::{
    lease::{Attached, Lease, LeaseState},
    types::SandboxId,
};

use super::object::{OnNetwork, Pod};

/// The pods that have addresses, in order; `is_lost` tells what has no wire.
pub(crate) fn pods<'a>(
    leases: impl IntoIterator<Item = &'a Lease>,
    is_lost: impl Fn(&Attached) -> bool,
) -> Vec<Pod> {
    // Of each pod its sandboxes, with when they were made and what they have: what was added to one is a lease of its own.
    type Sandboxes<'a> = BTreeMap<&'a SandboxId, (u64, Vec<&'a Attached>)>;
    let mut found: BTreeMap<(&str, &str), Sandboxes> = BTreeMap::new();
    for lease in leases {
        let (Some(namespace), Some(name)) = (&lease.namespace, &lease.pod) else { continue };
        // What does not hold and cannot be mended is nobody's backend.
        if lease.state != LeaseState::Attached
            || lease.drift.as_ref().is_some_and(|one| !one.mended)
        {
            continue;
        }
        let sandboxes = found.entry((namespace, name)).or_default();
        let id = lease.added_to.as_ref().unwrap_or(&lease.id);
        let (made, had) = sandboxes.entry(id).or_default();
        if lease.added_to.is_none() {
            *made = lease.created;
        }
        had.extend(lease.networks.iter().filter(|one| !is_lost(one)));
    }
    let pods = found.into_iter().map(|((namespace, name), sandboxes)| {
        // One that is on its way out may be there beside the next one of its name.
        let last = sandboxes.into_values().max_by_key(|(made, _)| *made);
        let networks = last.map(|(_, had)| networks(&had)).unwrap_or_default();
        Pod { namespace: namespace.to_owned(), name: name.to_owned(), networks }
    });
    pods.filter(|pod| !pod.networks.is_empty()).collect()
}

fn networks(had: &[&Attached]) -> Vec<OnNetwork> {
    let mut networks: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for one in had {
        let addresses = one.addresses.iter().map(ipnet::IpNet::addr);
        networks.entry(one.network.to_string()).or_default().extend(addresses);
    }
    let with_addresses = networks.into_iter().filter(|(_, addresses)| !addresses.is_empty());
    with_addresses.map(|(name, addresses)| OnNetwork { name, addresses }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: &str = include_str!("../../../../tests/data/lease/v1-pod.json");

    fn lease(id: &str, created: u64) -> Lease {
        let lease: Lease = serde_json::from_str(LEASE).unwrap();
        Lease { id: id.parse().unwrap(), created, ..lease }
    }

    fn with_address(lease: Lease, network: &str, address: &str) -> Lease {
        let mut lease = lease;
        lease.networks.truncate(1);
        lease.networks[0].network = network.parse().unwrap();
        lease.networks[0].addresses = vec![address.parse().unwrap()];
        lease
    }

    fn words(leases: &[Lease]) -> Vec<String> {
        let networks = |pod: &Pod| {
            let words = pod.networks.iter().map(|one| format!("{} {:?}", one.name, one.addresses));
            words.collect::<Vec<_>>().join(", ")
        };
        pods(leases, |one| one.network.as_str() == "lost")
            .iter()
            .map(|pod| format!("{}/{}: {}", pod.namespace, pod.name, networks(pod)))
            .collect()
    }

    #[test]
    fn a_pod_is_its_last_sandbox_with_what_was_added_to_it() {
        let old = with_address(lease("old", 10), "storage", "192.168.0.16/24");
        let new = with_address(lease("new", 20), "storage", "192.168.0.17/24");
        let added = with_address(lease("more", 30), "backup", "172.16.0.9/22");
        let added = Lease { added_to: Some("new".parse().unwrap()), ..added };
        let who = format!("{}/{}", new.namespace.as_deref().unwrap(), new.pod.as_deref().unwrap());
        let told = words(&[added.clone(), new.clone(), old.clone()]);
        assert_eq!(told, [format!("{who}: backup [172.16.0.9], storage [192.168.0.17]")]);
        let without_wire = with_address(new.clone(), "lost", "192.168.0.17/24");
        assert!(words(&[without_wire]).is_empty());
        let drifting = |mended| {
            let mut lease = new.clone();
            lease.drifts("net1 is gone".to_owned(), mended, 40);
            words(&[lease])
        };
        assert_eq!(drifting(true), [format!("{who}: storage [192.168.0.17]")]);
        assert!(drifting(false).is_empty());
        let releasing = Lease { state: LeaseState::Releasing, ..new };
        assert_eq!(words(&[old, releasing]), [format!("{who}: storage [192.168.0.16]")]);
        assert!(words(&[Lease { pod: None, ..added }]).is_empty());
    }
}
