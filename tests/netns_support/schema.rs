//! What the program says with `--json`, against docs/schema. A schema may be met by more than it names, so that a version may tell more; here
//! nothing may be told that it does not name, or the documents would be behind. Knows as much of JSON Schema as they use, and no more.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// What says something of a value to a reader, and nothing that could be broken.
const WORDS: [&str; 5] = ["$schema", "$id", "$defs", "title", "description"];

/// Where the schemas are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

/// The schema of what was said in answer to these words of a command line.
pub(crate) fn name(words: &[&str], answer: &Value) -> Option<&'static str> {
    let has = |word: &str| words.contains(&word);
    if !has("--json") {
        return None;
    }
    if answer.get("exit_code").is_some() {
        return Some("error");
    }
    let verbs = [
        ("attach", "attach"),
        ("detach", "detach"),
        ("status", "status"),
        ("reconcile", "reconcile"),
        ("provision", "steps"),
        ("check-config", "check-config"),
        ("import", "import"),
        ("doctor", "doctor"),
        ("explain", "explain"),
        ("history", "history"),
        ("top", "top"),
        ("cdi", "cdi"),
        ("setup", "setup"),
    ];
    let (verb, schema) = verbs.into_iter().find(|(verb, _)| has(verb))?;
    match verb {
        "attach" | "detach" if has("--dry-run") => Some("steps"),
        // Another specification's document.
        "cdi" if has("--print") => None,
        _ => Some(schema),
    }
}

/// Panics where what was said does not fit its schema; the schema's name.
pub(crate) fn must_fit(name: &str, answer: &Value) {
    let path = folder().join(format!("{name}.json"));
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let schema: Value = serde_json::from_str(&text).unwrap();
    if let Err(why) = fits(&schema, &schema, answer, "") {
        panic!("{name}: {why}\n{answer:#}");
    }
}

/// Whether `value`, which is at `place`, fits `schema`, a part of `whole`.
pub(crate) fn fits(
    whole: &Value,
    schema: &Value,
    value: &Value,
    place: &str,
) -> Result<(), String> {
    let rules = schema.as_object().expect("a schema is an object");
    for (rule, says) in rules.iter().filter(|(rule, _)| !WORDS.contains(&rule.as_str())) {
        let holds = match rule.as_str() {
            "$ref" => {
                let target = says.as_str().and_then(|path| path.strip_prefix('#'));
                let target = target.and_then(|path| whole.pointer(path)).expect("it is in it");
                return fits(whole, target, value, place);
            }
            "anyOf" => {
                any(whole, says, value, place)?;
                true
            }
            "type" => match says {
                Value::Array(kinds) => kinds.iter().any(|kind| is(kind, value)),
                kind => is(kind, value),
            },
            "enum" => says.as_array().unwrap().contains(value),
            "const" => says == value,
            "minimum" => value.as_f64().is_none_or(|it| it >= says.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|it| it <= says.as_f64().unwrap()),
            "required" => {
                let mut names = says.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                let lacks = names.find(|name| value.get(name).is_none());
                if let Some(name) = lacks {
                    return Err(format!("{place} has no {name}"));
                }
                true
            }
            "properties" => {
                for (name, part) in value.as_object().into_iter().flatten() {
                    let place = format!("{place}/{name}");
                    let known = says.get(name).ok_or(format!("{place} is not in the schema"))?;
                    fits(whole, known, part, &place)?;
                }
                true
            }
            // Nowhere beside `properties`, so it is of all members.
            "additionalProperties" => {
                for (name, part) in value.as_object().into_iter().flatten() {
                    fits(whole, says, part, &format!("{place}/{name}"))?;
                }
                true
            }
            "items" => {
                for (at, part) in value.as_array().into_iter().flatten().enumerate() {
                    fits(whole, says, part, &format!("{place}/{at}"))?;
                }
                true
            }
            other => panic!("{other} is a rule that is not known here"),
        };
        if !holds {
            return Err(format!("{place}: {value} against {rule} {says}"));
        }
    }
    Ok(())
}

/// Whether `value` fits one of `schemas`.
fn any(whole: &Value, schemas: &Value, value: &Value, place: &str) -> Result<(), String> {
    let all = schemas.as_array().unwrap().iter();
    let each: Vec<_> = all.map(|one| fits(whole, one, value, place)).collect();
    if each.iter().any(Result::is_ok) {
        return Ok(());
    }
    let why: Vec<String> = each.into_iter().filter_map(Result::err).collect();
    Err(format!("none of: {}", why.join("; ")))
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}
