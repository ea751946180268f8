//! The `ResourceSlice`s (`resource.k8s.io/v1`) that tell a scheduler of this node's devices. Pure.
//!
//! Every device is told of, taken or not: what is taken follows from claims. Each has the same keys: an expression that reads one that is
//! not there ends the scheduling of a pod.

use serde_json::{Map, Value, json};
use vfhook::{
    inventory::Properties,
    operation::{Offered, OfferedParent},
    types::Name,
};

use crate::{
    names::{self, DRIVER},
    offer::Offer,
};

/// Where there is nothing to say.
const NONE: &str = "none";

/// What a slice may hold where a device of it has a taint.
const MOST: usize = 64;

/// What an API server may know of, or drop in silence (both from Kubernetes 1.36 on).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Taints of devices, which say why one cannot be had. Without them such a device is not told of.
    pub(crate) taints: bool,
    /// Devices that several may have a share of. Without them no parent is told of: it would be one pod's.
    pub(crate) shares: bool,
}

impl Known {
    /// Both, until a server shows that it drops one.
    pub(crate) const ALL: Self = Self { taints: true, shares: true };
}

/// The slices of a pool, which are nobody's yet and of no generation, in order; none of one that has no device.
pub(crate) fn of_pool(node: &str, pool: &Name, offered: &[Offer], known: Known) -> Vec<Value> {
    let told = |one: &&Offer| {
        (known.taints || one.withheld().is_none()) && (known.shares || matches!(one, Offer::Vf(_)))
    };
    let devices: Vec<Value> = offered.iter().filter(told).map(|one| device(pool, one)).collect();
    let parts: Vec<&[Value]> = devices.chunks(MOST).collect();
    let slice = |(number, devices): (usize, &&[Value])| {
        json!({
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceSlice",
            "metadata": { "name": format!("{node}-{DRIVER}-{pool}-{number}") },
            "spec": {
                "driver": DRIVER,
                "nodeName": node,
                "pool": {
                    "name": names::pool(node, pool),
                    "resourceSliceCount": parts.len(),
                },
                "devices": devices,
            },
        })
    };
    parts.iter().enumerate().map(slice).collect()
}

/// A slice as one of this generation, which goes with the node of this identity.
pub(crate) fn owned(slice: &Value, node: &str, uid: &str, generation: i64) -> Value {
    let mut slice = slice.clone();
    slice["spec"]["pool"]["generation"] = generation.into();
    slice["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "Node", "name": node, "uid": uid, "controller": true,
    }]);
    slice
}

/// A device as its slice tells of it.
pub(crate) fn device(pool: &Name, offer: &Offer) -> Value {
    let mut device = json!({ "name": called(offer), "attributes": attributes(pool, offer) });
    if let Offer::Parent(parent) = offer {
        // Nobody needs two shares for one device.
        let each = json!({ "default": "1", "validValues": ["1"] });
        device["allowMultipleAllocations"] = true.into();
        device["capacity"] =
            json!({ "shares": { "value": parent.shares.to_string(), "requestPolicy": each } });
    }
    if let Some(why) = offer.withheld() {
        device["taints"] =
            json!([{ "key": "vfhook.dev/withheld", "value": label(why), "effect": "NoSchedule" }]);
    }
    device
}

/// What a device is called in its pool.
pub(crate) fn called(offer: &Offer) -> String {
    names::device(offer.allotted())
}

fn attributes(pool: &Name, offer: &Offer) -> Map<String, Value> {
    let own = match offer {
        Offer::Vf(offered) => of_vf(offered),
        Offer::Parent(parent) => of_parent(parent),
    };
    let is = match offer {
        Offer::Vf(offered) => &offered.properties,
        Offer::Parent(parent) => &parent.properties,
    };
    let both = of_device(pool, is);
    let all = own.into_iter().chain(both);
    all.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What only a VF says for itself.
fn of_vf(offered: &Offered) -> Vec<(&'static str, Value)> {
    let vf = &offered.vf;
    vec![
        ("kind", text("sriov")),
        ("pf", text(&vf.pf_name.to_string())),
        ("pfPci", text(&vf.pf_address.to_string())),
        ("vf", number(vf.index.into())),
        ("vlan", flag(offered.enforceable.vlan)),
        ("trust", flag(offered.enforceable.trust)),
        // Whoever reads this passes a whole function on: no parent has it.
        ("resource.kubernetes.io/pciBusID", text(&vf.address.to_string())),
    ]
}

/// The same of a parent, which is no function that anybody gets.
fn of_parent(parent: &OfferedParent) -> Vec<(&'static str, Value)> {
    let card = parent.card.map_or_else(|| NONE.to_owned(), |card| card.to_string());
    vec![
        ("kind", text(parent.kind)),
        ("pf", text(&parent.name.to_string())),
        ("pfPci", text(&card)),
        ("vf", number(-1)),
        ("vlan", flag(false)),
        ("trust", flag(false)),
    ]
}

fn of_device(pool: &Name, is: &Properties) -> Vec<(&'static str, Value)> {
    let known = |id: &str| text(if id.is_empty() { NONE } else { id });
    // Where the machine tells of no node: as the kernel writes it.
    let numa_node = is.numa_node.map_or(-1, i64::from);
    let link_type = if is.is_infiniband { "infiniband" } else { "ethernet" };
    let mut all = vec![
        ("pool", text(pool.as_str())),
        ("vendor", known(&is.vendor)),
        ("device", known(&is.device)),
        ("driver", text(is.driver.as_deref().unwrap_or(NONE))),
        ("linkType", text(link_type)),
        ("rdma", flag(is.has_rdma)),
        ("numaNode", number(numa_node)),
    ];
    // These are compared between devices of several drivers: where nothing is known, nothing is the same.
    let root = is.pcie_root.as_deref().map(text);
    let node = is.numa_node.map(|node| number(node.into()));
    all.extend(root.map(|root| ("resource.kubernetes.io/pcieRoot", root)));
    all.extend(node.map(|node| ("dra.net/numaNode", node)));
    all
}

fn text(value: &str) -> Value {
    json!({ "string": value.chars().take(64).collect::<String>() })
}

fn number(value: i64) -> Value {
    json!({ "int": value })
}

fn flag(value: bool) -> Value {
    json!({ "bool": value })
}

/// A text as the value of a label: what may not stand in one is a dash.
fn label(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let text: String = text.chars().map(allowed).take(63).collect();
    text.trim_matches('-').to_owned()
}

/// Whether the server's slice says what is wanted, and nothing else. Its generation, its owner and what a server fills in are nobody's wish.
pub(crate) fn says(found: &Value, wanted: &Value) -> bool {
    let devices = |slice: &Value| slice["spec"]["devices"].as_array().cloned().unwrap_or_default();
    let (there, here) = (devices(found), devices(wanted));
    let count = |slice: &Value| slice["spec"]["pool"]["resourceSliceCount"].clone();
    found["metadata"]["name"] == wanted["metadata"]["name"]
        && count(found) == count(wanted)
        && there.len() == here.len()
        && there.iter().zip(&here).all(|(there, here)| is_same_device(there, here))
}

fn is_same_device(found: &Value, wanted: &Value) -> bool {
    // Beside these a taint has the time that it was added.
    let taint = |taint: &Value| ["key", "value", "effect"].map(|part| taint[part].clone());
    let taints = |device: &Value| -> Vec<_> {
        device["taints"].as_array().into_iter().flatten().map(taint).collect()
    };
    found["name"] == wanted["name"]
        && ["attributes", "capacity", "allowMultipleAllocations"]
            .iter()
            .all(|part| found[part] == wanted[part])
        && taints(found) == taints(wanted)
}

/// What a server knows that wrote this of what was wanted.
pub(crate) fn known_by(wanted: &Value, written: &Value) -> Known {
    let has = |slice: &Value, part: &str| {
        let devices = slice["spec"]["devices"].as_array();
        devices.is_some_and(|devices| devices.iter().any(|device| device.get(part).is_some()))
    };
    let keeps = |part| has(written, part) || !has(wanted, part);
    Known { taints: keeps("taints"), shares: keeps("allowMultipleAllocations") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vfhook::{
        inventory::{Candidate, Properties},
        operation::Enforceable,
        types::KernelText,
    };

    fn offered(function: usize, withheld: Option<&str>) -> Offer {
        let (bus, slot, function) = (1 + function / 64, 16 + function % 64 / 8, function % 8);
        Offer::Vf(Offered {
            vf: Candidate {
                address: format!("0000:{bus:02x}:{slot:02x}.{function}").parse().unwrap(),
                index: 2,
                pf_address: "0000:01:00.0".parse().unwrap(),
                pf_name: KernelText::new("eth1"),
            },
            properties: Properties { vendor: "8086".to_owned(), ..Properties::default() },
            enforceable: Enforceable { vlan: true, trust: false },
            withheld: withheld.map(str::to_owned),
        })
    }

    fn parent() -> Offer {
        Offer::Parent(OfferedParent {
            kind: "macvlan",
            name: KernelText::new("eth1"),
            card: None,
            properties: Properties::default(),
            shares: 8.try_into().unwrap(),
            withheld: None,
        })
    }

    const WITHOUT_TAINTS: Known = Known { taints: false, shares: true };

    fn slices(offered: &[Offer], known: Known) -> Vec<Value> {
        let wanted = of_pool("node-1", &"fast".parse().unwrap(), offered, known);
        wanted.iter().map(|slice| owned(slice, "node-1", "u1", 3)).collect()
    }

    #[test]
    fn a_device_is_what_a_person_selects_by() {
        let slice = &slices(&[offered(2, None)], Known::ALL)[0];
        assert_eq!(slice["metadata"]["name"], "node-1-vfhook.dev-fast-0");
        assert_eq!(slice["metadata"]["ownerReferences"][0]["uid"], "u1");
        assert_eq!(slice["spec"]["pool"]["name"], "node-1/fast");
        let device = &slice["spec"]["devices"][0];
        assert_eq!(device["name"], "0000-01-10-2");
        let attributes = &device["attributes"];
        assert_eq!(attributes["pfPci"]["string"], "0000:01:00.0");
        assert_eq!(attributes["vf"]["int"], 2);
        assert_eq!(attributes["vlan"]["bool"], true);
        assert_eq!(attributes["driver"]["string"], "none");
        assert_eq!(attributes["numaNode"]["int"], -1);
        assert_eq!(attributes["resource.kubernetes.io/pciBusID"]["string"], "0000:01:10.2");
        assert!(device.get("taints").is_none());
    }

    #[test]
    fn what_cannot_be_had_has_a_taint_or_is_not_told_of() {
        let both = [offered(0, None), offered(1, Some("is a port of br0"))];
        let tainted = &slices(&both, Known::ALL)[0]["spec"]["devices"];
        assert_eq!(tainted[1]["taints"][0]["value"], "is-a-port-of-br0");
        assert_eq!(tainted[1]["taints"][0]["effect"], "NoSchedule");
        let told = &slices(&both, WITHOUT_TAINTS)[0]["spec"]["devices"];
        assert_eq!(told.as_array().unwrap().len(), 1);
    }

    #[test]
    fn many_devices_are_in_several_slices_and_none_in_none() {
        let many: Vec<Offer> = (0..130).map(|number| offered(number, None)).collect();
        let slices_of_many = slices(&many, Known::ALL);
        let counts: Vec<usize> = slices_of_many
            .iter()
            .map(|slice| slice["spec"]["devices"].as_array().unwrap().len())
            .collect();
        assert_eq!(counts, [64, 64, 2]);
        assert_eq!(slices_of_many[2]["spec"]["pool"]["resourceSliceCount"], 3);
        assert_eq!(slices(&[], Known::ALL).len(), 0);
    }

    #[test]
    fn what_the_server_adds_is_no_difference_and_what_is_here_no_more_is() {
        let [free, withheld] =
            [None, Some("down")].map(|why| slices(&[offered(0, why)], Known::ALL).remove(0));
        let mut found = withheld.clone();
        found["metadata"]["resourceVersion"] = json!("7");
        found["spec"]["pool"]["generation"] = json!(3);
        found["spec"]["devices"][0]["taints"][0]["timeAdded"] = json!("now");
        assert!(says(&found, &withheld));
        assert!(!says(&found, &free) && !says(&free, &withheld));
        found["spec"]["devices"][0]["attributes"]["more"] = json!({ "int": 1 });
        assert!(!says(&found, &withheld));
    }

    #[test]
    fn a_parent_is_one_device_of_so_many_shares_with_the_keys_that_a_vf_has() {
        let both = slices(&[offered(0, None), parent()], Known::ALL);
        let [vf, parent] = [0, 1].map(|number| both[0]["spec"]["devices"][number].clone());
        assert_eq!(
            (&parent["name"], &parent["attributes"]["kind"]["string"]),
            (&json!("parent"), &json!("macvlan"))
        );
        assert_eq!(parent["allowMultipleAllocations"], true);
        assert_eq!(parent["capacity"]["shares"]["value"], "8");
        let keys = |device: &Value| -> Vec<String> {
            device["attributes"].as_object().unwrap().keys().cloned().collect()
        };
        let own = |key: &String| !key.contains('/');
        let (of_vf, of_parent) = (keys(&vf), keys(&parent));
        assert!(of_vf.iter().filter(|key| own(key)).eq(of_parent.iter().filter(|key| own(key))));
        assert!(!of_parent.contains(&"resource.kubernetes.io/pciBusID".to_owned()));
    }

    #[test]
    fn what_a_server_drops_is_seen_and_not_told_of_again() {
        let wanted = &slices(&[offered(0, Some("down")), parent()], Known::ALL)[0];
        assert_eq!(known_by(wanted, wanted), Known::ALL);
        let mut written = wanted.clone();
        written["spec"]["devices"][0].as_object_mut().unwrap().remove("taints");
        assert_eq!(known_by(wanted, &written), WITHOUT_TAINTS);
        written["spec"]["devices"][1].as_object_mut().unwrap().remove("allowMultipleAllocations");
        let neither = Known { taints: false, shares: false };
        assert_eq!(known_by(wanted, &written), neither);
        assert!(slices(&[offered(0, Some("down")), parent()], neither).is_empty());
    }
}
