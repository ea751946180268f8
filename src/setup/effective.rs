//! Whether two effective configurations of a runtime differ by just what was meant. Knows no runtime.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Key;

/// What became of the effective configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// It has what was meant, and nothing else changed.
    Exact,
    /// These values are not as they must be.
    Differs(Vec<String>),
}

/// What a runtime tells of how it came to its configuration, and not of the configuration.
const ORIGIN: [&str; 2] = ["imports", "version"];

/// Compares what a runtime says of itself before and after with what was meant. A value that is empty, `false` or 0 is as good as none:
/// runtimes fill such in where a table begins to exist.
pub fn proves(before: &toml::Table, after: &toml::Table, meant: &[(Key, Value)]) -> Proof {
    let (mut wanted, found) = (leaves(before), leaves(after));
    for (key, value) in meant {
        wanted.retain(|known, _| !known.starts_with(key));
        if !is_nothing(value) {
            wanted.insert(key.clone(), value.clone());
        }
    }
    let keys = wanted.keys().chain(found.keys().filter(|key| !wanted.contains_key(*key)));
    let differs = keys.filter(|key| wanted.get(*key) != found.get(*key)).map(|key| {
        let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
        format!(
            "{}: {} in place of {}",
            key.join("."),
            shown(found.get(key)),
            shown(wanted.get(key))
        )
    });
    let differs: Vec<String> = differs.collect();
    if differs.is_empty() { Proof::Exact } else { Proof::Differs(differs) }
}

/// The value at `key`, as JSON.
pub(super) fn at(table: &toml::Table, key: &[&str]) -> Option<Value> {
    let (last, parents) = key.split_last()?;
    let table = parents.iter().try_fold(table, |table, name| table.get(*name)?.as_table())?;
    table.get(*last).map(as_json)
}

/// All values of a table that say something, each by its whole key.
pub(super) fn leaves(table: &toml::Table) -> BTreeMap<Key, Value> {
    let mut found = BTreeMap::new();
    for (name, value) in table.iter().filter(|(name, _)| !ORIGIN.contains(&name.as_str())) {
        collect(vec![name.clone()], value, &mut found);
    }
    found
}

/// The specs that runtimes are told to begin containers with.
pub fn base_specs(table: &toml::Table) -> Vec<std::path::PathBuf> {
    let named = leaves(table).into_iter();
    let specs = named.filter(|(key, _)| key.last().is_some_and(|name| name == "base_runtime_spec"));
    specs.filter_map(|(_, value)| Some(value.as_str()?.into())).collect()
}

fn collect(key: Key, value: &toml::Value, found: &mut BTreeMap<Key, Value>) {
    if let toml::Value::Table(table) = value {
        for (name, value) in table {
            let mut key = key.clone();
            key.push(name.clone());
            collect(key, value, found);
        }
        return;
    }
    let value = as_json(value);
    if !is_nothing(&value) {
        found.insert(key, value);
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
    }
}

fn as_json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(value) => Value::from(*value),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(values) => Value::Array(values.iter().map(as_json).collect()),
        toml::Value::Table(table) => Value::Object(
            table.iter().map(|(name, value)| (name.clone(), as_json(value))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> toml::Table {
        text.parse().unwrap()
    }

    #[test]
    fn just_what_was_meant() {
        let before = table("version = 2\n[a]\nx = 1\nlist = []\n[b]\ny = \"\"");
        let meant = [(vec!["a".to_owned(), "list".to_owned()], Value::from(vec!["ours"]))];
        let after =
            table("version = 2\nimports = [\"f\"]\n[a]\nx = 1\nz = false\nlist = [\"ours\"]");
        assert_eq!(proves(&before, &after, &meant), Proof::Exact);
        assert_eq!(
            proves(&before, &table("[a]\nx = 1"), &meant),
            Proof::Differs(vec!["a.list: nothing in place of [\"ours\"]".to_owned()])
        );
        assert_eq!(
            proves(&before, &table("[a]\nlist = [\"ours\"]"), &meant),
            Proof::Differs(vec!["a.x: nothing in place of 1".to_owned()])
        );
        assert_eq!(
            proves(&before, &table("[a]\nx = 1\nlist = [\"ours\"]\n[c]\nnew = true"), &meant),
            Proof::Differs(vec!["c.new: true in place of nothing".to_owned()])
        );
        // What is switched off by us is as good as gone.
        let off = [(vec!["a".to_owned(), "x".to_owned()], Value::from(false))];
        assert_eq!(proves(&before, &table("[a]\nx = false"), &off), Proof::Exact);
    }
}
