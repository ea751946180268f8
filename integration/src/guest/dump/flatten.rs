//! Turns JSON from iproute2 into facts: a path and a value each. Pure.

use serde_json::Value;

/// Every leaf of the value as (path, text), paths like `linkinfo.info_kind` and `vfinfo_list[3].mac`.
pub(crate) fn leaves(value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(value, String::new(), &mut found);
    found
}

fn walk(value: &Value, path: String, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(field, inner, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                walk(item, format!("{path}[{index}]"), found);
            }
        }
        Value::String(text) => found.push((path, text.clone())),
        other => found.push((path, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_lost() {
        let value = json!({"mtu": 1500, "flags": ["UP"], "vf": [{"trust": false}], "none": []});
        let expected =
            [("flags[0]", "UP"), ("mtu", "1500"), ("none", "[]"), ("vf[0].trust", "false")]
                .map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(leaves(&value), expected);
    }
}
