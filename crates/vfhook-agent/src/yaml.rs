//! A JSON value as YAML for people: every string is quoted, for `off` would be false to whoever reads it by YAML 1.1. Pure.

use std::fmt::Write as _;

use serde_json::Value;

/// The document, with a note of where it came from.
pub(crate) fn text(value: &Value) -> String {
    let mut text = "# Printed by `vfhook-agent crd`: not to be edited.\n".to_owned();
    block(&mut text, value, 0);
    text
}

/// What stands on lines of its own, indented so far.
fn block(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let _ = write!(text, "{:depth$}{key}:", "");
                after(text, value, depth + 2);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                let _ = write!(text, "{:depth$}-", "");
                match element {
                    Value::Object(fields) if !fields.is_empty() => {
                        let mut inner = String::new();
                        block(&mut inner, element, depth + 2);
                        let _ = write!(text, " {}", inner.trim_start());
                    }
                    _ => after(text, element, depth + 2),
                }
            }
        }
        scalar => {
            let _ = writeln!(text, "{:depth$}{scalar}", "");
        }
    }
}

/// What follows a key or a dash.
fn after(text: &mut String, value: &Value, depth: usize) {
    let is_empty = match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        _ => true,
    };
    if is_empty {
        // A scalar, {} and [] are the same in both languages.
        let _ = writeln!(text, " {value}");
    } else {
        text.push('\n');
        block(text, value, depth);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_what_kubectl_reads_as_the_same() {
        let value = json!({ "a": [{ "b": "off", "c": [1, "x: y"] }, "two"], "d": {}, "e": [] });
        let expected = "# Printed by `vfhook-agent crd`: not to be edited.\na:\n  - b: \"off\"\n    c:\n      - 1\n      - \"x: y\"\n  - \"two\"\nd: {}\ne: []\n";
        assert_eq!(text(&value), expected);
    }
}
