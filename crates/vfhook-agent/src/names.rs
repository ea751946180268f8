//! What things of ours are called in the cluster. Pure.

use vfhook::types::{Allotted, Name, PciAddress};

/// The driver, and the domain of its attributes and resources.
pub(crate) const DRIVER: &str = "vfhook.dev";

/// A pool as the whole cluster knows it.
pub(crate) fn pool(node: &str, pool: &Name) -> String {
    format!("{node}/{pool}")
}

/// The pool of this node that the cluster calls so; `None` for another node's.
pub(crate) fn own_pool(node: &str, called: &str) -> Option<Name> {
    called.strip_prefix(node)?.strip_prefix('/')?.parse().ok()
}

/// The only device of a macvlan pool, which everybody has a share of.
pub(crate) const PARENT: &str = "parent";

/// A device in its pool: a VF by its address as a DNS label.
pub(crate) fn device(device: Allotted) -> String {
    match device {
        Allotted::Vf(address) => address.to_string().replace([':', '.'], "-"),
        Allotted::Share => PARENT.to_owned(),
    }
}

/// The VF that is called so.
pub(crate) fn own_vf(called: &str) -> Option<PciAddress> {
    let parts: Vec<&str> = called.split('-').collect();
    let [domain, bus, slot, function] = parts[..] else { return None };
    format!("{domain}:{bus}:{slot}.{function}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_what_they_name() {
        let name: Name = "fast".parse().unwrap();
        assert_eq!(own_pool("node-1", &pool("node-1", &name)), Some(name));
        for called in ["node-10/fast", "node-1", "node-1/", "fast", "node-1/fast/x"] {
            assert_eq!(own_pool("node-1", called), None, "{called}");
        }
        let address: PciAddress = "0000:01:10.2".parse().unwrap();
        assert_eq!(device(Allotted::Vf(address)), "0000-01-10-2");
        assert_eq!(own_vf("0000-01-10-2"), Some(address));
        for called in ["0000-01-10", "0000-01-10-2-3", "x-01-10-2", PARENT, ""] {
            assert_eq!(own_vf(called), None, "{called}");
        }
    }
}
