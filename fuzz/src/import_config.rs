//! JSON that other tools' files hold in strings: a CNI configuration in an object of Kubernetes, the device plugin's in a `ConfigMap`.

use serde_json::json;
use vfhook::import::Source;

use super::import::imported;

/// Imports it in all places where it may be, beside a pool that it may name.
pub fn read(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pool = r#"{"resourceList":[{"resourceName":"fast","selectors":{"pfNames":["ens1f0"]}}]}"#;
    let object = |kind: &str, spec: serde_json::Value| {
        json!({
            "apiVersion": "v1", "kind": kind, "spec": spec, "data": { "config.json": text, "pool": pool },
            "metadata": {
                "name": "n", "namespace": "a",
                "annotations": { "k8s.v1.cni.cncf.io/resourceName": "fast" },
            },
        })
    };
    let network =
        json!({ "resourceName": "fast", "ipam": text, "capabilities": text, "metaPlugins": text });
    for object in [
        object("NetworkAttachmentDefinition", json!({ "config": text })),
        object("SriovNetwork", network),
        object("ConfigMap", json!({})),
    ] {
        let text = object.to_string();
        let pool = Source { name: "pool".to_owned(), text: pool.to_owned() };
        imported(&[pool, Source { name: "f".to_owned(), text }]);
    }
}
