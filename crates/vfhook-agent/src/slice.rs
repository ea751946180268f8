//! The `ResourceSlice`s (`resource.k8s.io/v1`) that tell a scheduler of this node's devices. Pure.
//!
//! Every device is told of, taken or not: what is taken follows from claims. Each has the same keys: an expression that reads one that is
//! not there ends the scheduling of a pod.

use serde_json::{Map, Value, json};
use vfhook::{operation::Offered, types::Name};

use crate::names::{self, DRIVER};

/// What a slice may hold where a device of it has a taint.
const MOST: usize = 64;

/// How a device that cannot be had is kept from being given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Withholding {
    /// By a taint that says why (Kubernetes 1.36).
    Taint,
    /// It is not told of.
    Absence,
}

/// The slices of a pool, which are nobody's yet and of no generation, in order; none of one that has no device.
pub(crate) fn of_pool(
    node: &str,
    pool: &Name,
    offered: &[Offered],
    how: Withholding,
) -> Vec<Value> {
    let told = |one: &&Offered| one.withheld.is_none() || how == Withholding::Taint;
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
pub(crate) fn device(pool: &Name, offered: &Offered) -> Value {
    let mut device = json!({
        "name": called(offered),
        "attributes": attributes(pool, offered),
    });
    if let Some(why) = &offered.withheld {
        device["taints"] =
            json!([{ "key": "vfhook.dev/withheld", "value": label(why), "effect": "NoSchedule" }]);
    }
    device
}

/// What a device is called in its pool.
pub(crate) fn called(offered: &Offered) -> String {
    names::device(offered.vf.address)
}

fn attributes(pool: &Name, offered: &Offered) -> Map<String, Value> {
    let (vf, is) = (&offered.vf, &offered.properties);
    let text = |value: &str| json!({ "string": value.chars().take(64).collect::<String>() });
    let number = |value: i64| json!({ "int": value });
    let flag = |value: bool| json!({ "bool": value });
    // Where the machine tells of no node: as the kernel writes it.
    let numa_node = is.numa_node.map_or(-1, i64::from);
    let link_type = if is.is_infiniband { "infiniband" } else { "ethernet" };
    let own = [
        ("pool", text(pool.as_str())),
        ("pf", text(&vf.pf_name.to_string())),
        ("pfPci", text(&vf.pf_address.to_string())),
        ("vf", number(vf.index.into())),
        ("vendor", text(&is.vendor)),
        ("device", text(&is.device)),
        ("driver", text(is.driver.as_deref().unwrap_or("none"))),
        ("linkType", text(link_type)),
        ("rdma", flag(is.has_rdma)),
        ("vlan", flag(offered.enforceable.vlan)),
        ("trust", flag(offered.enforceable.trust)),
        ("numaNode", number(numa_node)),
        ("resource.kubernetes.io/pciBusID", text(&vf.address.to_string())),
    ];
    // These are compared between devices of several drivers: where nothing is known, nothing is the same.
    let shared = [
        ("resource.kubernetes.io/pcieRoot", is.pcie_root.as_deref().map(text)),
        ("dra.net/numaNode", is.numa_node.map(|node| number(node.into()))),
    ];
    let shared = shared.into_iter().filter_map(|(key, value)| Some((key, value?)));
    own.into_iter().chain(shared).map(|(key, value)| (key.to_owned(), value)).collect()
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
        && found["attributes"] == wanted["attributes"]
        && taints(found) == taints(wanted)
}

/// Whether a slice that was to have taints has none: the server knows of none.
pub(crate) fn lost_its_taints(wanted: &Value, written: &Value) -> bool {
    let tainted = |slice: &Value| {
        let devices = slice["spec"]["devices"].as_array();
        devices.is_some_and(|devices| devices.iter().any(|device| device.get("taints").is_some()))
    };
    tainted(wanted) && !tainted(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vfhook::{
        inventory::{Candidate, Properties},
        operation::Enforceable,
        types::KernelText,
    };

    fn offered(function: usize, withheld: Option<&str>) -> Offered {
        let (bus, slot, function) = (1 + function / 64, 16 + function % 64 / 8, function % 8);
        Offered {
            vf: Candidate {
                address: format!("0000:{bus:02x}:{slot:02x}.{function}").parse().unwrap(),
                index: 2,
                pf_address: "0000:01:00.0".parse().unwrap(),
                pf_name: KernelText::new("eth1"),
            },
            properties: Properties { vendor: "8086".to_owned(), ..Properties::default() },
            enforceable: Enforceable { vlan: true, trust: false },
            withheld: withheld.map(str::to_owned),
        }
    }

    fn slices(offered: &[Offered], how: Withholding) -> Vec<Value> {
        let wanted = of_pool("node-1", &"fast".parse().unwrap(), offered, how);
        wanted.iter().map(|slice| owned(slice, "node-1", "u1", 3)).collect()
    }

    #[test]
    fn a_device_is_what_a_person_selects_by() {
        let slice = &slices(&[offered(2, None)], Withholding::Taint)[0];
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
        let tainted = &slices(&both, Withholding::Taint)[0]["spec"]["devices"];
        assert_eq!(tainted[1]["taints"][0]["value"], "is-a-port-of-br0");
        assert_eq!(tainted[1]["taints"][0]["effect"], "NoSchedule");
        let told = &slices(&both, Withholding::Absence)[0]["spec"]["devices"];
        assert_eq!(told.as_array().unwrap().len(), 1);
    }

    #[test]
    fn many_devices_are_in_several_slices_and_none_in_none() {
        let many: Vec<Offered> = (0..130).map(|number| offered(number, None)).collect();
        let slices_of_many = slices(&many, Withholding::Taint);
        let counts: Vec<usize> = slices_of_many
            .iter()
            .map(|slice| slice["spec"]["devices"].as_array().unwrap().len())
            .collect();
        assert_eq!(counts, [64, 64, 2]);
        assert_eq!(slices_of_many[2]["spec"]["pool"]["resourceSliceCount"], 3);
        assert_eq!(slices(&[], Withholding::Taint).len(), 0);
    }

    #[test]
    fn what_the_server_adds_is_no_difference_and_what_is_here_no_more_is() {
        let [free, withheld] = [None, Some("down")]
            .map(|why| slices(&[offered(0, why)], Withholding::Taint).remove(0));
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
    fn a_server_that_knows_no_taints_is_seen() {
        let wanted = &slices(&[offered(0, Some("down"))], Withholding::Taint)[0];
        let mut written = wanted.clone();
        assert!(!lost_its_taints(wanted, &written));
        written["spec"]["devices"][0].as_object_mut().unwrap().remove("taints");
        assert!(lost_its_taints(wanted, &written));
    }
}
