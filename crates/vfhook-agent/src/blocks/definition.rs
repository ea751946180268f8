//! The definition of `AddressBlock` (`apiextensions.k8s.io/v1`), from its Rust type: schema, rules, columns, and the words of
//! `kubectl explain`. Pure.

use serde_json::{Value, json};

use super::object::{GROUP, KIND, PLURAL, Spec, VERSION};
use crate::schema;

const DESCRIPTION: &str = "A block of addresses that one node of the cluster gives out. vfhook-agent makes, marks and deletes it; what is deleted by hand \
     is taken by whoever is first, and the node's pods keep what they have of it.";

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
                "plural": PLURAL, "singular": KIND.to_lowercase(), "shortNames": ["vfblock"],
                "categories": ["vfhook"]
            },
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "selectableFields": [
                    { "jsonPath": ".spec.node" },
                    { "jsonPath": ".spec.network" },
                    { "jsonPath": ".spec.family" }
                ],
                "additionalPrinterColumns": [
                    column("Network", "network"),
                    column("Addresses", "addresses"),
                    column("Node", "node"),
                    column("Phase", "phase"),
                    {
                        "name": "Machine", "type": "string", "jsonPath": ".spec.machine", "priority": 1
                    },
                    {
                        "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"
                    }
                ],
                "schema": { "openAPIV3Schema": schema() }
            }]
        }
    })
}

fn column(name: &str, field: &str) -> Value {
    json!({ "name": name, "type": "string", "jsonPath": format!(".spec.{field}") })
}

fn schema() -> Value {
    let mut spec = schema::of::<Spec>();
    spec[schema::RULES] = rules();
    json!({
        "type": "object",
        "description": DESCRIPTION,
        "required": ["spec"],
        "x-kubernetes-validations": [{
            "rule": "self.metadata.name.startsWith(self.spec.network + '-')",
            "message": "is called NETWORK-FIRST-PREFIX, with the first address in hexadecimal digits"
        }],
        "properties": {
            "apiVersion": { "type": "string" },
            "kind": { "type": "string" },
            "metadata": { "type": "object" },
            "spec": spec
        }
    })
}

/// What a block must say of itself, and what of it stays as it is.
fn rules() -> Value {
    let kept = ["network", "addresses", "family", "node", "machine", "format"];
    let kept: Vec<String> = kept.iter().map(|key| format!("self.{key} == oldSelf.{key}")).collect();
    json!([
        {
            "rule": "isCIDR(self.addresses) && cidr(self.addresses) == cidr(self.addresses).masked()",
            "message": "addresses is FIRST/PREFIX, and FIRST the first of them"
        },
        {
            "rule": "!isCIDR(self.addresses) || (cidr(self.addresses).ip().family() == 6) == (self.family == 'IPv6')",
            "message": "family is not that of addresses"
        },
        {
            "rule": "!isCIDR(self.addresses) || cidr(self.addresses).prefixLength() >= (self.family == 'IPv6' ? 120 : 24)",
            "message": "a block has 256 addresses at most"
        },
        { "rule": kept.join(" && "), "message": "only phase changes: another block is another object" }
    ])
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::yaml;

    /// `BLESS=1` writes it.
    #[test]
    fn what_is_shipped_is_what_the_types_say() {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kubernetes/address-blocks.yaml");
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
        let fields = schema["properties"]["spec"]["properties"].as_object().unwrap();
        assert_eq!(fields.len(), 7);
        for (name, field) in fields {
            assert!(field["description"].as_str().is_some_and(|text| text.len() > 10), "{name}");
            let bounded =
                ["enum", "maxLength", "maximum"].iter().any(|key| field.get(key).is_some());
            assert!(bounded, "{name}: {field}");
        }
        // Where a schema says so beside its properties, the API server refuses it.
        assert!(!definition.to_string().contains("additionalProperties"));
    }
}
