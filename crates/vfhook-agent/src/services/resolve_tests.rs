//! Clusters as the API server tells of them, and what sandboxes of node n1 may be given.

use serde_json::{Value, json};
use vfhook::config::{announcement, parse_announced};

use super::*;

/// A cluster with a service `db` of three pods: one with a VF on each of two nodes, and a plain one.
struct Scene {
    service: Value,
    slices: Vec<Value>,
    addresses: Value,
    with_empty: bool,
}

fn scene() -> Scene {
    let endpoint = |number: u8, node: &str| {
        json!({ "addresses": [format!("10.244.0.{number}")], "conditions": { "ready": true },
                "nodeName": node,
                "targetRef": { "kind": "Pod", "namespace": "team-a", "name": format!("db-{number}") } })
    };
    let pod = |number: u8, networks: Value| json!({ "namespace": "team-a", "name": format!("db-{number}"), "networks": networks });
    Scene {
        service: json!({
            "metadata": { "labels": { "app": "db" } },
            "spec": {
                "type": "ClusterIP", "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"],
                "ports": [{ "name": "sql", "port": 5432, "protocol": "TCP", "targetPort": "sql" }]
            }
        }),
        slices: vec![slice("IPv4", vec![endpoint(1, "n1"), endpoint(2, "n2"), endpoint(3, "n2")])],
        addresses: json!({
            "n1": [pod(1, json!([{ "name": "storage", "addresses": ["192.168.0.21", "fd00:10::21"] },
                                 { "name": "backup", "addresses": ["172.16.0.21"] },
                                 { "name": "unknown", "addresses": ["192.168.9.21"] }]))],
            "n2": [pod(2, json!([{ "name": "storage", "addresses": ["192.168.0.22"] }]))]
        }),
        with_empty: false,
    }
}

fn slice(kind: &str, endpoints: Vec<Value>) -> Value {
    json!({
        "metadata": { "labels": { "kubernetes.io/service-name": "db" } }, "addressType": kind,
        "endpoints": Value::Array(endpoints), "ports": [{ "name": "sql", "port": 6432, "protocol": "TCP" }]
    })
}

impl Scene {
    fn resolved(&self) -> Vec<AnnouncedService> {
        let key = |name: &str| ("team-a".to_owned(), name.to_owned());
        let service: Service = serde_json::from_value(self.service.clone()).unwrap();
        let services = BTreeMap::from([(key("db"), service)]);
        let slices = self.slices.iter().enumerate().map(|(number, slice)| {
            (key(&format!("db-{number}")), serde_json::from_value(slice.clone()).unwrap())
        });
        let slices: BTreeMap<Key, EndpointSlice> = slices.collect();
        let nodes = self.addresses.as_object().unwrap().iter().map(|(node, pods)| {
            let object = json!({ "spec": { "pods": pods } });
            (node.clone(), serde_json::from_value(object).unwrap())
        });
        let nodes: BTreeMap<String, PodAddresses> = nodes.collect();
        let found = services_of(&services, &slices, &nodes, self.with_empty);
        // Whatever comes of it, vfhook reads it.
        assert_eq!(parse_announced(&announcement(&found)).unwrap(), found);
        found
    }

    /// `address:port/protocol affinity: backend:port (network address, …), …`.
    fn words(&self) -> Vec<String> {
        let backend = |service: &ConfiguredService, backend: &Backend| {
            let on = service.on.get(&backend.address).into_iter().flatten();
            let on: Vec<String> = on.map(|(name, address)| format!("{name} {address}")).collect();
            let kept = if backend.weight == 0 { " kept" } else { "" };
            format!("{}:{} ({}){kept}", backend.address, backend.port, on.join(", "))
        };
        let words = |announced: &AnnouncedService| {
            let (service, port) = (&announced.service, &announced.service.ports[0]);
            let backends: Vec<String> =
                port.backends.iter().map(|one| backend(service, one)).collect();
            let affinity = port.affinity.map(|seconds| format!(" {seconds}")).unwrap_or_default();
            format!("{port}{affinity}: {}", backends.join(", "))
        };
        self.resolved().iter().map(words).collect()
    }
}

fn services_of(
    services: &BTreeMap<Key, Service>,
    slices: &BTreeMap<Key, EndpointSlice>,
    nodes: &BTreeMap<String, PodAddresses>,
    with_empty: bool,
) -> Vec<AnnouncedService> {
    let networks = ["storage", "backup"].map(|name| name.parse().unwrap());
    super::services(&Cluster {
        here: Here { node: "n1", zone: Some("z1") },
        services,
        slices,
        addresses: &nodes.iter().map(|(node, addresses)| (node.clone(), addresses)).collect(),
        networks: &networks.into(),
        with_empty,
    })
}

const FIRST: &str = "10.244.0.1:6432 (backup 172.16.0.21, storage 192.168.0.21)";

#[test]
fn a_backend_has_the_addresses_of_its_pod_on_this_nodes_networks() {
    let expected = format!(
        "10.96.0.7:5432/tcp: {FIRST}, 10.244.0.2:6432 (storage 192.168.0.22), 10.244.0.3:6432 ()"
    );
    assert_eq!(scene().words(), [expected]);
}

type Change = fn(&mut Scene);

/// What makes of the scene one in which nothing is translated.
#[test]
fn what_is_no_service_of_ours_is_left_out() {
    let cases: [(&str, Change); 10] = [
        ("headless", |s| s.service["spec"]["clusterIPs"] = json!(["None"])),
        ("no clusterIP", |s| {
            s.service["spec"]["clusterIPs"] = json!(null);
            s.service["spec"]["clusterIP"] = json!("");
        }),
        ("ExternalName", |s| s.service["spec"]["type"] = json!("ExternalName")),
        ("another proxy's", |s| {
            s.service["metadata"]["labels"]["service.kubernetes.io/service-proxy-name"] =
                json!("x");
        }),
        ("another proxy's slice", |s| {
            s.slices[0]["metadata"]["labels"]["service.kubernetes.io/headless"] = json!("");
        }),
        ("another service's slice", |s| {
            s.slices[0]["metadata"]["labels"]["kubernetes.io/service-name"] = json!("dc");
        }),
        ("no pod on a network", |s| s.addresses = json!({})),
        ("SCTP", |s| {
            s.service["spec"]["ports"][0]["protocol"] = json!("SCTP");
            s.slices[0]["ports"][0]["protocol"] = json!("SCTP");
        }),
        ("a port that no slice has", |s| s.service["spec"]["ports"][0]["name"] = json!("other")),
        ("an address that is none", |s| s.service["spec"]["clusterIPs"] = json!(["127.0.0.1"])),
    ];
    for (what, change) in cases {
        let mut scene = scene();
        change(&mut scene);
        let words = scene.words();
        assert!(words.is_empty(), "{what}: {words:?}");
    }
}

/// What a change of the scene makes of its one service.
#[test]
fn what_a_service_says_becomes_of_it() {
    let cases: [(&str, Change, &str); 4] = [
        (
            "local",
            |s| s.service["spec"]["internalTrafficPolicy"] = json!("Local"),
            ": 10.244.0.1:6432",
        ),
        ("affinity", |s| s.service["spec"]["sessionAffinity"] = json!("ClientIP"), " 10800: "),
        (
            "affinity with a timeout",
            |s| {
                s.service["spec"]["sessionAffinity"] = json!("ClientIP");
                s.service["spec"]["sessionAffinityConfig"] =
                    json!({ "clientIP": { "timeoutSeconds": 5 } });
            },
            " 5: ",
        ),
        (
            "udp",
            |s| {
                s.service["spec"]["ports"][0]["protocol"] = json!("UDP");
                s.slices[0]["ports"][0]["protocol"] = json!("UDP");
            },
            "10.96.0.7:5432/udp: ",
        ),
    ];
    for (what, change, expected) in cases {
        let mut scene = scene();
        change(&mut scene);
        let words = scene.words();
        assert!(words.len() == 1 && words[0].contains(expected), "{what}: {words:?}");
    }
}

#[test]
fn a_backend_that_ends_keeps_whom_it_has_by_udp() {
    let over = |protocol: &str| {
        let mut scene = scene();
        scene.service["spec"]["ports"][0]["protocol"] = json!(protocol);
        scene.slices[0]["ports"][0]["protocol"] = json!(protocol);
        scene.slices[0]["endpoints"][1]["conditions"] =
            json!({ "ready": false, "serving": true, "terminating": true });
        scene.words().remove(0)
    };
    let (tcp, udp) = (over("TCP"), over("UDP"));
    assert!(!tcp.contains("10.244.0.2"), "a connection stays by itself: {tcp}");
    assert!(udp.ends_with("10.244.0.2:6432 (storage 192.168.0.22) kept"), "{udp}");
    // None that takes clients is on a network: that one which ends is, makes it no service of ours.
    let mut scene = scene();
    scene.service["spec"]["ports"][0]["protocol"] = json!("UDP");
    scene.slices[0]["ports"][0]["protocol"] = json!("UDP");
    scene.slices[0]["endpoints"][1]["conditions"] =
        json!({ "ready": false, "serving": true, "terminating": true });
    scene.addresses["n1"] = json!([]);
    assert_eq!(scene.words(), [""; 0]);
}

#[test]
fn a_pod_of_the_same_name_elsewhere_is_another() {
    for (key, value) in [
        ("nodeName", json!("n3")),
        ("nodeName", json!(null)),
        ("targetRef", json!({ "kind": "Pod", "namespace": "team-b", "name": "db-1" })),
        ("targetRef", json!({ "kind": "Service", "namespace": "team-a", "name": "db-1" })),
        ("targetRef", json!(null)),
    ] {
        let mut scene = scene();
        scene.slices[0]["endpoints"][0][key] = value.clone();
        assert!(scene.words()[0].contains("10.244.0.1:6432 (),"), "{key} {value}");
    }
}

#[test]
fn nobody_serves_it() {
    let mut scene = scene();
    scene.slices.clear();
    assert_eq!(scene.words(), [""; 0]);
    scene.with_empty = true;
    assert_eq!(scene.words(), ["10.96.0.7:5432/tcp: "]);
    // Local, and all are elsewhere.
    let mut scene = self::scene();
    scene.service["spec"]["internalTrafficPolicy"] = json!("Local");
    scene.slices[0]["endpoints"][0]["nodeName"] = json!("n2");
    assert_eq!(scene.words(), [""; 0]);
    scene.with_empty = true;
    assert_eq!(scene.words(), ["10.96.0.7:5432/tcp: "]);
}

#[test]
fn both_families_and_several_slices() {
    let mut scene = scene();
    scene.service["spec"]["clusterIPs"] = json!(["10.96.0.7", "fd96::7"]);
    let own = |address: &str| {
        let mut endpoint = scene.slices[0]["endpoints"][0].clone();
        endpoint["addresses"] = json!([address]);
        endpoint
    };
    let more = slice("IPv6", vec![own("fd00:244::1")]);
    // A named port that is another number in other pods is in a slice of its own.
    let mut other = slice("IPv4", vec![own("10.244.0.9")]);
    other["ports"][0]["port"] = json!(7432);
    scene.slices.extend([more, other]);
    let words = scene.words();
    assert_eq!(words.len(), 2);
    assert!(words[0].starts_with("10.96.0.7:5432/tcp: 10.244.0.1:6432"), "{words:?}");
    assert!(
        words[0].ends_with("10.244.0.9:7432 (backup 172.16.0.21, storage 192.168.0.21)"),
        "{words:?}"
    );
    assert_eq!(words[1], "[fd96::7]:5432/tcp: fd00:244::1:6432 (storage fd00:10::21)");
}

#[test]
fn what_strangers_write_is_served_as_far_as_it_means_something() {
    let mut scene = scene();
    let endpoints = &mut scene.slices[0]["endpoints"];
    endpoints[1]["addresses"] = json!(["127.0.0.1"]);
    endpoints[2]["addresses"] = json!(["169.254.169.254"]);
    scene.addresses["n1"][0]["networks"][0]["addresses"] = json!(["127.0.0.1", "192.168.0.21"]);
    assert_eq!(scene.words(), [format!("10.96.0.7:5432/tcp: {FIRST}")]);
}

/// Figures of docs/inside.md: `cargo test --release -p vfhook-agent figures -- --ignored --nocapture`
#[test]
#[ignore = "asserts nothing but that it is done; prints how long it takes"]
fn figures_of_ten_thousand_services() {
    const SERVICES: usize = 10_000;
    const BACKENDS: usize = 5;
    let key = |number: usize| ("team-a".to_owned(), format!("db-{number}"));
    let own = |number: usize| {
        format!("10.{}.{}.{}", 128 + number / 62_500, number / 250 % 250, number % 250 + 1)
    };
    let (mut services, mut slices, mut pods) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for number in 0..SERVICES {
        let mut scene = scene();
        let address = format!("10.96.{}.{}", number / 250, number % 250 + 1);
        scene.service["spec"]["clusterIPs"] = json!([address]);
        services.insert(key(number), serde_json::from_value(scene.service).unwrap());
        let all = number * BACKENDS..(number + 1) * BACKENDS;
        let endpoints = all.clone().map(|pod| {
            json!({ "addresses": [own(pod)], "conditions": { "ready": true }, "nodeName": "n2",
                    "targetRef": { "kind": "Pod", "namespace": "team-a", "name": format!("pod-{pod}") } })
        });
        let mut slice = slice("IPv4", endpoints.collect());
        slice["metadata"]["labels"]["kubernetes.io/service-name"] = json!(format!("db-{number}"));
        slices.insert(key(number), serde_json::from_value(slice).unwrap());
        pods.extend(all.map(|pod| {
            let wired = format!("172.16.{}.{}", pod / 250 % 4, pod % 250 + 1);
            json!({ "namespace": "team-a", "name": format!("pod-{pod}"),
                    "networks": [{ "name": "storage", "addresses": [wired] }] })
        }));
    }
    let told: PodAddresses = serde_json::from_value(json!({ "spec": { "pods": pods } })).unwrap();
    let nodes = BTreeMap::from([("n2".to_owned(), told)]);
    let now = std::time::Instant::now;
    let began = now();
    let found = services_of(&services, &slices, &nodes, false);
    let (resolved, began) = (began.elapsed(), now());
    let text = announcement(&found);
    let (written, began) = (began.elapsed(), now());
    let read = parse_announced(&text).unwrap();
    let took = began.elapsed();
    assert_eq!((read.len(), read), (SERVICES, found));
    let length = text.len();
    eprintln!("resolved {resolved:?}, written {written:?}, read {took:?}: {length} bytes");
}
