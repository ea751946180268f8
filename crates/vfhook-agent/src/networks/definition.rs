//! The definition of `Network` (`apiextensions.k8s.io/v1`), from its Rust type: schema, rules, columns, and the words of `kubectl explain`. Pure.

use serde_json::{Value, json};

use super::object::{KIND, PLURAL, Spec, Status, VERSION};
use crate::{
    blocks::GROUP,
    schema::{self, column},
};

const DESCRIPTION: &str = "A network that pods of the whole cluster may have (annotation vfhook.dev/networks), on each node that has its pool. vfhook-agent hands \
     it to vfhook on nodes whose configuration says networks = true in [cluster]. Running pods keep what they have when it is changed or deleted.";

/// The definition, as `kubectl apply` takes it.
pub(crate) fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{PLURAL}.{GROUP}") },
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": KIND, "listKind": format!("{KIND}List"),
                "plural": PLURAL, "singular": KIND.to_lowercase(), "shortNames": ["vfnet"],
                "categories": ["vfhook"]
            },
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "additionalPrinterColumns": columns(),
                "schema": { "openAPIV3Schema": schema() }
            }]
        }
    })
}

fn columns() -> Value {
    let accepted = |field: &str| format!(".status.conditions[?(@.type==\"Accepted\")].{field}");
    json!([
        column("Pool", "string", ".spec.pool", false),
        column("Addresses", "string", ".spec.addresses", false),
        column("Accepted", "string", &accepted("status"), false),
        column("Interface", "string", ".spec.interface", true),
        column("VLAN", "integer", ".spec.vlan.id", true),
        column("Block", "integer", ".spec.cluster.block", true),
        column("Namespaces", "string", ".spec.allow.namespaces", true),
        column("Message", "string", &accepted("message"), true),
        column("Age", "date", ".metadata.creationTimestamp", false),
    ])
}

fn schema() -> Value {
    let mut spec = schema::of::<Spec>();
    spec[schema::RULES] = json!([
        {
            "rule": "!has(self.addresses) || has(self.cluster)",
            "message": "needs cluster: the addresses of an object are the whole cluster's, in blocks such as cluster: {block: 16}"
        },
        {
            "rule": "!has(oldSelf.cluster) || has(self.cluster)",
            "message": "cluster stays: nodes have blocks of it. Make another network, and delete this one when no pod has it"
        }
    ]);
    spec["properties"]["cluster"][schema::RULES] = json!([{
        "rule": "self.block == oldSelf.block",
        "message": "block stays as it is: nodes have blocks of that size. Make another network"
    }]);
    spec["properties"]["gateway"]["items"][schema::RULES] =
        json!([{ "rule": "isIP(self)", "message": "is no IP address" }]);
    let mut status = schema::of::<Status>();
    status["properties"]["conditions"]["x-kubernetes-list-type"] = json!("map");
    status["properties"]["conditions"]["x-kubernetes-list-map-keys"] = json!(["type"]);
    json!({
        "type": "object",
        "description": DESCRIPTION,
        "required": ["spec"],
        schema::RULES: [{
            "rule": "size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "message": "a network's name has 63 letters at most, of a-z, 0-9 and inner dashes"
        }],
        "properties": {
            "apiVersion": { "type": "string" },
            "kind": { "type": "string" },
            "metadata": { "type": "object" },
            "spec": spec,
            "status": status
        }
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::yaml;

    /// `BLESS=1` writes it.
    #[test]
    fn what_is_shipped_is_what_the_types_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kubernetes/networks.yaml");
        let text = yaml::text(&definition());
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "BLESS=1 writes it");
    }

    #[test]
    fn every_field_is_explained_and_bounded() {
        let definition = definition();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut seen = 0;
        explained(&schema["properties"]["spec"], "spec", &mut seen);
        explained(&schema["properties"]["status"], "status", &mut seen);
        assert!(seen > 40, "{seen}");
        let text = definition.to_string();
        assert!(!text.contains("nullable") && !text.contains("null"), "{text}");
    }

    /// Rules cost by what may be there, so that all has a bound; and a format that the server does not know is a warning at each `apply`.
    fn explained(schema: &Value, path: &str, seen: &mut usize) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            *seen += 1;
            assert!(field["description"].as_str().is_some_and(|text| text.len() > 6), "{path}");
            let bound = match field["type"].as_str() {
                Some("string") => &["enum", "maxLength", "format"][..],
                Some("array") => &["maxItems"],
                Some("object") => &["properties", "maxProperties"],
                _ => &["type"],
            };
            assert!(bound.iter().any(|key| field.get(key).is_some()), "{path}: {field}");
            let format = field.get("format").and_then(Value::as_str).unwrap_or("int32");
            assert!(["int32", "int64", "date-time"].contains(&format), "{path}: {format}");
            explained(field, &path, seen);
            explained(&field["items"], &path, seen);
        }
    }
}
