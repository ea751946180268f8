use serde_json::json;

use super::*;

const UID: &str = "0b6f4d1e-6f0a-4a53-9c3c-1f5b1c1f8a01";

fn attachment(rest: &serde_json::Value) -> serde_json::Value {
    let mut whole = json!({ "apiVersion": "vfhook.dev/v1alpha1", "kind": "Attachment" });
    for (key, value) in rest.as_object().unwrap() {
        whole[key] = value.clone();
    }
    whole
}

fn config(source: &str, requests: &[&str], parameters: &serde_json::Value) -> serde_json::Value {
    json!({ "source": source, "requests": requests,
            "opaque": { "driver": "vfhook.dev", "parameters": parameters } })
}

/// A claim as a 1.36 API server gives it to kubelet, with these configurations.
fn claim(config: &[serde_json::Value]) -> serde_json::Value {
    json!({
        "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim",
        "metadata": { "name": "web-nic", "namespace": "team-a", "uid": UID, "resourceVersion": "7" },
        "spec": { "devices": { "requests": [{ "name": "nic" }] } },
        "status": {
            "allocation": { "devices": {
                "results": [
                    { "request": "nic", "driver": "vfhook.dev", "pool": "node-1/fast", "device": "0000-01-10-2" },
                    { "request": "gpu", "driver": "gpu.example", "pool": "node-1", "device": "gpu-0" },
                ],
                "config": config,
            } },
            "reservedFor": [{ "resource": "pods", "name": "web-0", "uid": "pod-1" }],
        },
    })
}

fn read(claim: serde_json::Value) -> Result<PreparedClaim, String> {
    let claim: ResourceClaim = serde_json::from_value(claim).map_err(|error| error.to_string())?;
    prepared(&claim, "node-1", UID).map_err(|error| vfhook::types::with_causes(&error))
}

#[test]
fn its_own_devices_are_for_its_one_pod() {
    let prepared = read(claim(&[])).unwrap();
    assert_eq!((prepared.pod.as_str(), prepared.namespace.as_str()), ("pod-1", "team-a"));
    let [device] = &prepared.devices[..] else { panic!("{prepared:?}") };
    let vf = ClaimedDevice::Vf("0000:01:10.2".parse().unwrap());
    assert_eq!((device.pool.as_str(), &device.device), ("fast", &vf));
    assert_eq!(device.wish, None);
}

#[test]
fn a_share_is_of_a_parent_and_a_vf_is_none() {
    let with = |device: &str, share: &str| {
        let mut claim = claim(&[]);
        let result = &mut claim["status"]["allocation"]["devices"]["results"][0];
        result["device"] = device.into();
        result["shareID"] = share.into();
        read(claim)
    };
    let prepared = with("parent", "5ad6-1").unwrap();
    assert_eq!(prepared.devices[0].device, ClaimedDevice::Share("5ad6-1".parse().unwrap()));
    assert_eq!(prepared.pod_name, "web-0");
    assert!(with("0000-01-10-2", "5ad6-1").unwrap_err().contains("none of this node's"));
    assert!(with("parent", "../x").unwrap_err().contains("share's id"));
    let mut without = claim(&[]);
    without["status"]["allocation"]["devices"]["results"][0]["device"] = "parent".into();
    assert!(read(without).unwrap_err().contains("none of this node's"));
}

#[test]
fn the_claim_speaks_over_its_class() {
    let configs = [
        config(
            "FromClass",
            &[],
            &attachment(&json!({ "network": "storage", "interface": "net1" })),
        ),
        config("FromClaim", &["nic"], &attachment(&json!({ "mac": "02:00:00:00:00:01" }))),
        config("FromClaim", &["other"], &attachment(&json!({ "network": "video" }))),
        json!({ "source": "FromClaim", "opaque": { "driver": "gpu.example", "parameters": { "x": 1 } } }),
    ];
    let wish = read(claim(&configs)).unwrap().devices.remove(0).wish.unwrap();
    assert_eq!(wish.network.as_str(), "storage");
    assert_eq!(wish.interface.unwrap().as_str(), "net1");
    assert_eq!(wish.mac.unwrap().to_string(), "02:00:00:00:00:01");
}

#[test]
fn an_alternative_is_meant_with_its_request() {
    let mut claim =
        claim(&[config("FromClaim", &["nic"], &attachment(&json!({ "network": "video" })))]);
    claim["status"]["allocation"]["devices"]["results"][0]["request"] = json!("nic/small");
    let wish = read(claim).unwrap().devices.remove(0).wish.unwrap();
    assert_eq!(wish.network.as_str(), "video");
}

#[test]
fn what_a_stranger_says_is_held_to_its_form() {
    let said = |parameters| read(claim(&[config("FromClaim", &[], &parameters)])).unwrap_err();
    for (parameters, expected) in [
        (json!(null), "parameters"),
        (json!({ "network": "storage" }), "missing field"),
        (attachment(&json!({ "netwrok": "storage" })), "unknown field"),
        (attachment(&json!({ "network": "../x" })), "a name"),
        (attachment(&json!({ "interface": "net1" })), "nothing says for which network"),
        (
            attachment(&json!({ "network": "n", "addresses": vec!["10.0.0.1/24"; 17] })),
            "17 addresses",
        ),
        (json!({ "apiVersion": "v1", "kind": "Attachment" }), "expected vfhook.dev/v1alpha1"),
    ] {
        let said = said(parameters);
        assert!(said.contains(expected) && said.contains("of the claim"), "{said}");
    }
}

#[test]
fn a_class_chooses_no_address_for_all() {
    let parameters = attachment(&json!({ "network": "n", "mac": "02:00:00:00:00:01" }));
    let said = read(claim(&[config("FromClass", &[], &parameters)])).unwrap_err();
    assert!(said.contains("of its class") && said.contains("allow.mac"), "{said}");
}

#[test]
fn what_is_not_one_pods_alone_is_refused() {
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut claim = claim(&[]);
        change(&mut claim["status"]);
        read(claim).unwrap_err()
    };
    let pod = json!({ "resource": "pods", "name": "web-1", "uid": "pod-2" });
    let said = with(&|status| status["reservedFor"].as_array_mut().unwrap().push(pod.clone()));
    assert!(said.contains("2 users") && said.contains("ResourceClaimTemplate"), "{said}");
    let said = with(&|status| status["reservedFor"] = json!([]));
    assert!(said.contains("0 users"), "{said}");
    let said = with(&|status| status["reservedFor"][0]["resource"] = json!("podgroups"));
    assert!(said.contains("no pod"), "{said}");
    let results = |status: &mut serde_json::Value, key: &str, value: serde_json::Value| {
        status["allocation"]["devices"]["results"][0][key] = value;
    };
    let said = with(&|status| results(status, "adminAccess", json!(true)));
    assert!(said.contains("adminAccess"), "{said}");
    let said = with(&|status| results(status, "pool", json!("node-2/fast")));
    assert!(said.contains("none of this node's"), "{said}");
    let said = with(&|status| status["allocation"] = json!(null));
    assert!(said.contains("no allocation"), "{said}");
}

#[test]
fn a_claim_from_a_template_is_what_its_pod_calls_it() {
    assert_eq!(read(claim(&[])).unwrap().metadata.pod_claim_name, None);
    let mut claim = claim(&[]);
    claim["metadata"]["annotations"] = json!({ "resource.kubernetes.io/pod-claim-name": "nics" });
    let name = read(claim).unwrap().metadata.pod_claim_name.unwrap();
    assert_eq!(name.as_str(), "nics");
}

#[test]
fn no_name_of_a_stranger_leads_out_of_a_path() {
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut claim = claim(&[]);
        change(&mut claim);
        read(claim).unwrap_err()
    };
    let said = with(&|claim| claim["metadata"]["name"] = json!("../../etc"));
    assert!(said.contains("the claim's name"), "{said}");
    let said = with(&|claim| {
        claim["metadata"]["annotations"] = json!({ "resource.kubernetes.io/pod-claim-name": ".." });
    });
    assert!(said.contains("name in its pod"), "{said}");
    let said = with(&|claim| {
        claim["status"]["allocation"]["devices"]["results"][0]["request"] = json!("../nic");
    });
    assert!(said.contains("the claim's request"), "{said}");
}

#[test]
fn a_claim_of_the_same_name_is_another() {
    let mut claim = claim(&[]);
    claim["metadata"]["uid"] = json!("other");
    assert!(read(claim).unwrap_err().contains("another one by now"));
}
