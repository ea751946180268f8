//! The schema of a part of an object of ours, from its Rust type, as the API server takes it (`apiextensions.k8s.io/v1`). Pure.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

/// The key of rules that the API server checks (CEL).
pub(crate) const RULES: &str = "x-kubernetes-validations";

/// The schema of a type, whole; what is optional may be left out, and is never null.
pub(crate) fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("title");
    }
    without_null(&mut schema);
    schema
}

/// A column of `kubectl get`; `wide` ones are shown by `-o wide` alone.
pub(crate) fn column(name: &str, kind: &str, path: &str, wide: bool) -> Value {
    let mut column = json!({ "name": name, "type": kind, "jsonPath": path });
    if wide {
        column["priority"] = json!(1);
    }
    column
}

fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.remove("nullable");
            if fields.get("default") == Some(&Value::Null) {
                fields.remove("default");
            }
            if let Some(Value::Array(values)) = fields.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            fields.values_mut().for_each(without_null);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_null),
        _ => {}
    }
}
