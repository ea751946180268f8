//! What things of ours are called in the cluster. Pure.

use vfhook::types::{Name, PciAddress};

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

/// A device: its address as a DNS label.
pub(crate) fn device(device: PciAddress) -> String {
    device.to_string().replace([':', '.'], "-")
}

/// The device that is called so.
pub(crate) fn own_device(called: &str) -> Option<PciAddress> {
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
        let vf: PciAddress = "0000:01:10.2".parse().unwrap();
        assert_eq!(device(vf), "0000-01-10-2");
        assert_eq!(own_device("0000-01-10-2"), Some(vf));
        for called in ["0000-01-10", "0000-01-10-2-3", "x-01-10-2", ""] {
            assert_eq!(own_device(called), None, "{called}");
        }
    }
}
