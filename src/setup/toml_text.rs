//! Values set in and taken out of a TOML text whose every other byte stays. Knows neither runtime nor file.

use serde_json::Value;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

use super::edit::{Edit, EditError, Edited, Key, Left};

/// What says how the rest of a file is read: where we wrote it, it goes with the last of the file, and no sooner.
const VERSION: &str = "version";

/// Sets these values in `text`; lists are joined to what is there by whoever made `values`.
pub(super) fn set(text: &str, values: &[(Key, Value)]) -> Result<Edited, EditError> {
    let mut document = parse(text)?;
    let (mut edits, mut tables) = (Vec::new(), Vec::new());
    for (key, new) in values {
        let Some((name, parents)) = key.split_last() else { continue };
        let table = table_at(document.as_table_mut(), parents, &mut tables)?;
        let old = table.get(name).and_then(read);
        if old.as_ref() == Some(new) {
            continue;
        }
        put(table, name, new);
        edits.push(Edit { key: key.clone(), old, new: new.clone() });
    }
    let text = if edits.is_empty() { text.to_owned() } else { document.to_string() };
    Ok(Edited { text, edits, tables })
}

/// Takes values out that are as we set them; the tables, where they are empty then. Also says whether nothing is left.
pub(super) fn take_out(
    text: &str,
    edits: &[Edit],
    tables: &[Key],
) -> Result<(String, Vec<Left>, bool), EditError> {
    let mut document = parse(text)?;
    let mut left = Vec::new();
    let (version, edits): (Vec<&Edit>, Vec<&Edit>) =
        edits.iter().partition(|edit| edit.key == [VERSION]);
    for edit in edits.into_iter().rev() {
        let Some((name, parents)) = edit.key.split_last() else { continue };
        let found = existing(document.as_table_mut(), parents);
        let now = found.as_ref().and_then(|table| table.get(name)).and_then(read);
        let back = match &now {
            Some(now) if *now == edit.new => Some(edit.old.clone()),
            Some(now) => without_ours(now, edit).map(Some),
            None => None,
        };
        let Some(back) = back else {
            left.push(Left { key: edit.key.clone(), ours: edit.new.clone(), found: now });
            continue;
        };
        let Some(table) = found else { continue };
        match back {
            Some(back) => put(table, name, &back),
            None => drop(table.remove(name)),
        }
    }
    for key in tables.iter().rev() {
        let Some((name, parents)) = key.split_last() else { continue };
        let Some(table) = existing(document.as_table_mut(), parents) else { continue };
        let is_empty =
            table.get(name).and_then(Item::as_table_like).is_some_and(TableLike::is_empty);
        if is_empty {
            table.remove(name);
        }
    }
    let is_ours = |edit: &&Edit| document.get(VERSION).and_then(read).as_ref() == Some(&edit.new);
    if document.len() == 1 && version.iter().any(is_ours) {
        document.remove(VERSION);
    }
    let is_empty = document.is_empty();
    Ok((document.to_string(), left, is_empty))
}

/// A list that somebody added to, without what we added to it.
fn without_ours(now: &Value, edit: &Edit) -> Option<Value> {
    let (Value::Array(now), Value::Array(new)) = (now, &edit.new) else { return None };
    let old = edit.old.as_ref().and_then(Value::as_array);
    let ours = |entry: &&Value| new.contains(entry) && !old.is_some_and(|old| old.contains(entry));
    let kept: Vec<Value> = now.iter().filter(|entry| !ours(entry)).cloned().collect();
    (kept.len() < now.len()).then_some(Value::Array(kept))
}

fn parse(text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        EditError::Unreadable(error.to_string().replace('\n', " "))
    })
}

/// The table at `key`, made where there is none.
fn table_at<'a>(
    root: &'a mut dyn TableLike,
    key: &[String],
    made: &mut Vec<Key>,
) -> Result<&'a mut dyn TableLike, EditError> {
    let mut table = root;
    for (depth, name) in key.iter().enumerate() {
        let path = &key[..=depth];
        if !table.contains_key(name) {
            made.push(path.to_vec());
            let is_last = depth + 1 == key.len();
            let mut new = Table::new();
            new.set_implicit(!is_last);
            // In a table that is written in braces it becomes one in braces.
            table.insert(name, Item::Table(new));
        }
        let item = table.get_mut(name).and_then(Item::as_table_like_mut);
        table = item.ok_or_else(|| EditError::NoTable(path.to_vec()))?;
    }
    Ok(table)
}

fn existing<'a>(root: &'a mut dyn TableLike, key: &[String]) -> Option<&'a mut dyn TableLike> {
    key.iter().try_fold(root, |table, name| table.get_mut(name)?.as_table_like_mut())
}

/// Sets a value; what stands before and behind it stays.
fn put(table: &mut dyn TableLike, name: &str, new: &Value) {
    let indent = indent_of(table);
    match table.get_mut(name) {
        Some(Item::Value(toml_edit::Value::Array(array))) if new.is_array() => {
            change_list(array, new.as_array().map_or(&[], Vec::as_slice));
        }
        Some(Item::Value(old)) => {
            let decor = old.decor().clone();
            *old = written(new);
            *old.decor_mut() = decor;
        }
        _ => {
            table.insert(name, Item::Value(written(new)));
            if let (Some(indent), Some(mut key)) = (indent, table.key_mut(name)) {
                key.leaf_decor_mut().set_prefix(indent);
            }
        }
    }
}

/// The blanks before the keys of a table.
fn indent_of(table: &dyn TableLike) -> Option<String> {
    let (name, _) = table.iter().next()?;
    let prefix = table.key(name)?.leaf_decor().prefix()?.as_str()?;
    let last = prefix.rsplit('\n').next()?;
    (!last.is_empty() && last.chars().all(|c| c == ' ' || c == '\t')).then(|| last.to_owned())
}

/// Makes a list have these entries. One that stays keeps its line and its comment; a new one is written as the first is.
fn change_list(array: &mut Array, new: &[Value]) {
    let first = |array: &Array| {
        let prefix = array.get(0)?.decor().prefix()?.as_str()?;
        (!prefix.contains('\n')).then(|| prefix.to_owned())
    };
    let began = first(array);
    array.retain(|entry| read_value(entry).is_some_and(|entry| new.contains(&entry)));
    let prefix =
        array.get(0).and_then(|first| first.decor().prefix()?.as_str()).unwrap_or_default();
    let prefix =
        prefix.rsplit_once('\n').map_or_else(String::new, |(_, indent)| format!("\n{indent}"));
    for (place, value) in new.iter().enumerate() {
        if array.get(place).and_then(read_value).as_ref() == Some(value) {
            continue;
        }
        if let Some(next) = array.get_mut(place).filter(|_| prefix.is_empty()) {
            next.decor_mut().set_prefix(" ");
        }
        let mut entry = written(value);
        let before = if prefix.is_empty() && place > 0 { " " } else { &prefix };
        entry.decor_mut().set_prefix(before);
        array.insert_formatted(place.min(array.len()), entry);
    }
    // A list on one line begins as it did, whichever entry is its first now.
    if let (Some(began), true) = (began, first(array).is_some()) {
        if let Some(entry) = array.get_mut(0) {
            entry.decor_mut().set_prefix(began);
        }
    }
}

fn written(value: &Value) -> toml_edit::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Number(value) => match (value.as_i64(), value.as_f64()) {
            (Some(value), _) => value.into(),
            (None, value) => value.unwrap_or_default().into(),
        },
        Value::Array(values) => values.iter().map(written).collect::<Array>().into(),
        Value::Object(values) => {
            let mut table = InlineTable::new();
            for (name, value) in values {
                table.insert(name, written(value));
            }
            table.into()
        }
        Value::String(value) => value.as_str().into(),
        Value::Null => "".into(),
    }
}

fn read(item: &Item) -> Option<Value> {
    item.as_value().and_then(read_value)
}

fn read_value(value: &toml_edit::Value) -> Option<Value> {
    Some(match value {
        toml_edit::Value::Boolean(value) => Value::Bool(*value.value()),
        toml_edit::Value::Integer(value) => Value::from(*value.value()),
        toml_edit::Value::Float(value) => Value::from(*value.value()),
        toml_edit::Value::String(value) => Value::from(value.value().as_str()),
        toml_edit::Value::Datetime(value) => Value::from(value.value().to_string()),
        toml_edit::Value::Array(values) => {
            Value::Array(values.iter().map(read_value).collect::<Option<Vec<_>>>()?)
        }
        toml_edit::Value::InlineTable(table) => Value::Object(
            table
                .iter()
                .map(|(name, value)| Some((name.to_owned(), read_value(value)?)))
                .collect::<Option<_>>()?,
        ),
    })
}
