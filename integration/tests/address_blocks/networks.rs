//! Networks that objects of the cluster say, and its service networks: judged by the server's own validation and by the agents, taken by nodes
//! whose files name neither.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Story,
    node::{Attached, Node},
    none_twice,
    plane::{Plane, eventually},
};

const CONFIG: &str = r#"version = 1
[cluster]
networks = true
settle = 1
quiet = 1
hold = 9
rest = 2
idle = 3
retry = 1
ask_again = 3
[[pool]]
name = "lan"
kind = "macvlan"
pf = ["lan0"]
[service_path]
mode = "veth"
cidrs = "cluster"
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

/// A network of the cluster's.
fn network(name: &str, changes: Value) -> Value {
    let mut network = json!({
        "apiVersion": "vfhook.dev/v1alpha1", "kind": "Network",
        "metadata": { "name": name },
        "spec": {
            "pool": "lan", "interface": "net1", "addresses": ["10.77.0.1-10.77.0.31/24"],
            "gateway": ["10.77.0.1"], "cluster": { "block": 4 }
        }
    });
    let Value::Object(changes) = changes else { panic!("{changes}") };
    for (key, value) in changes {
        match value {
            Value::Null => drop(network["spec"].as_object_mut().unwrap().remove(&key)),
            value => network["spec"][key] = value,
        }
    }
    network
}

/// What the server itself makes of networks that are none.
fn judges_networks(plane: &Plane) {
    eventually("a field is explained", || {
        let said = plane.try_kubectl(&["explain", "networks.vfhook.dev.spec.cluster.block"]).stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        let said: Vec<&str> = said.split_whitespace().collect();
        said.join(" ").contains("How many addresses a node takes at once").then_some(())
    });
    for (name, changes, why) in [
        ("a.b", json!({}), "a-z, 0-9 and inner dashes"),
        ("wrong", json!({ "cluster": null }), "addresses of an object are the whole cluster's"),
        ("wrong", json!({ "cluster": { "block": 3 } }), "supported values"),
        ("wrong", json!({ "gateway": ["nowhere"] }), "is no IP address"),
        ("wrong", json!({ "mtu": 12 }), "greater than or equal to 68"),
        ("wrong", json!({ "pool": null }), "spec.pool"),
        ("wrong", json!({ "vlna": { "id": 7 } }), "unknown field"),
        ("wrong", json!({ "bestEffort": ["all"] }), "supported values"),
    ] {
        let said = plane.apply("wrong", &network(name, changes)).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
    }
}

/// What is said of the network: whether it is right, and why not.
fn condition(plane: &Plane, name: &str, generation: i64) -> (String, String) {
    eventually("it is told whether the network is right", || {
        let said = plane.kubectl(&["get", "networks.vfhook.dev", name, "-o", "json"]);
        let object: Value = serde_json::from_str(&said).unwrap();
        let all = object["status"]["conditions"].as_array()?;
        let said = all.iter().find(|one| one["type"] == "Accepted")?;
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        (said["observedGeneration"] == generation).then(|| (text("status"), text("message")))
    })
}

fn attached(node: &mut Node) -> String {
    eventually("a pod has the network", || match node.attach() {
        Attached::Has(address) => Some(address.to_string()),
        Attached::Refused(..) => None,
    })
}

/// All that only a reader of ranges sees is told, and what was right before counts.
fn a_wrong_version_changes_nothing(plane: &Plane, node: &mut Node) {
    let wrong = json!({
        "gateway": ["10.9.9.9"], "routes": [{ "to": "10.1.0.1/16" }], "defaultRoute": true, "mtu": 1400
    });
    plane.apply("storage", &network("storage", wrong)).unwrap();
    let (status, message) = condition(plane, "storage", 2);
    assert_eq!(status, "False");
    for part in [
        "spec.gateway: 10.9.9.9 is on no network of addresses",
        "spec.routes[0].to: 10.1.0.1/16 has host bits",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    attached(node);
    let told = String::from_utf8(node.run(&["check-config"]).stdout).unwrap();
    assert!(told.contains("network storage: as version 1"), "{told}");
    assert!(told.contains("version 2 of Network storage has no effect on this node"), "{told}");
    let shown = plane.kubectl(&["get", "vfnet", "-o", "wide"]);
    let words: BTreeSet<&str> = shown.split_whitespace().collect();
    for word in ["POOL", "ADDRESSES", "ACCEPTED", "BLOCK", "lan", "False", "4", "net1"] {
        assert!(words.contains(word), "{word}: {shown}");
    }
}

/// A service network that comes while a pod runs.
fn a_running_pod_follows(plane: &Plane, node: &Node, pod: &str) {
    let more = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
        "metadata": { "name": "more" }, "spec": { "cidrs": ["10.112.0.0/16"] }
    });
    plane.apply("more", &more).unwrap();
    eventually("a running pod reaches the new service network", || {
        assert!(node.run(&["reconcile"]).status.success());
        node.pod_says(pod, "route show 10.112.0.0/16").contains("svc0").then_some(())
    });
}

#[test]
fn a_network_and_service_networks_are_what_objects_say() {
    let story = Story::begin();
    let plane = Plane::start("said");
    story.at("the server answers");
    let mut node = Node::configured(&plane, "node-a", 2, CONFIG);
    judges_networks(&plane);
    match node.attach() {
        Attached::Refused(2, said) => assert!(said.contains("unknown network storage"), "{said}"),
        other => panic!("{other:?}"),
    }
    story.at("objects are judged");
    plane.apply("storage", &network("storage", json!({}))).unwrap();
    assert_eq!(condition(&plane, "storage", 1).0, "True");
    attached(&mut node);
    story.at("a pod has it");
    let pod = node.pods.keys().next().unwrap().clone();
    assert!(node.pod_says(&pod, "route show 10.96.0.0/12").contains("svc0"));

    a_wrong_version_changes_nothing(&plane, &mut node);
    story.at("a wrong version changes nothing");
    a_running_pod_follows(&plane, &node, &pod);
    story.at("service networks are followed");
    let said = plane.apply("other", &network("storage", json!({ "cluster": { "block": 8 } })));
    assert!(said.unwrap_err().contains("block stays as it is"));
    plane.kubectl(&["delete", "networks.vfhook.dev", "storage"]);
    eventually("it is nobody's network any more", || {
        matches!(node.attach(), Attached::Refused(2, _)).then_some(())
    });
    none_twice(&[&node]);
    assert!(node.addresses().len() >= 2);
    story.at("it is deleted, and pods keep what they have");
}

/// A range that is moved under running pods: they keep their addresses, their blocks stay their node's for as long, and nobody else is given any.
#[test]
#[ignore = "takes most of a minute: run by name"]
fn no_address_is_twice_though_the_ranges_of_an_object_move() {
    let story = Story::begin();
    let plane = Plane::start("moved");
    let mut a = Node::configured(&plane, "node-a", 2, CONFIG);
    let mut b = Node::configured(&plane, "node-b", 3, CONFIG);
    plane.apply("storage", &network("storage", json!({}))).unwrap();
    for _ in 0..3 {
        attached(&mut a);
        attached(&mut b);
    }
    none_twice(&[&a, &b]);
    let (before, of_a) = (a.addresses(), a.blocks());
    story.at("both give");
    let moved = json!({ "addresses": ["10.77.0.64-10.77.0.95/24"], "gateway": ["10.77.0.64"] });
    plane.apply("storage", &network("storage", moved)).unwrap();
    eventually("new pods have an address of the new range", || {
        let last = attached(&mut b);
        none_twice(&[&a, &b]);
        last.rsplit('.').next()?.parse::<u8>().ok().filter(|last| *last >= 64)
    });
    assert!(before.iter().all(|address| a.addresses().contains(address)));
    let there: BTreeSet<String> = a.blocks().into_iter().collect();
    let kept = of_a.iter().filter(|block| there.contains(*block)).count();
    assert!(kept > 0, "{of_a:?} {there:?}");
    story.at("the range moved");
    // Back again, with the old ones still there.
    plane.apply("storage", &network("storage", json!({}))).unwrap();
    for _ in 0..3 {
        attached(&mut a);
        attached(&mut b);
        none_twice(&[&a, &b]);
    }
    story.at("and back");
    // Who says the same of two networks on one wire is refused, though each is right by itself.
    plane.apply("twin", &network("twin", json!({ "interface": "net2" }))).unwrap();
    let (status, message) = condition(&plane, "twin", 1);
    assert_eq!(status, "False", "{message}");
    assert!(message.contains("gives addresses of the same ranges"), "{message}");
    assert_eq!(condition(&plane, "storage", 3).0, "True");
    story.at("a twin is refused");
}
