//! Values set in and taken out of a JSON text whose every other byte stays. Knows neither runtime nor file.

use std::ops::Range;

use serde_json::{Value, value::RawValue};

use super::edit::{Edit, EditError, Edited, Key, Left};
use crate::types::JsonMembers;

/// Sets these values in `text`, which may be empty.
pub(super) fn set(text: &str, values: &[(Key, Value)]) -> Result<Edited, EditError> {
    let mut text = if text.trim().is_empty() { "{}\n".to_owned() } else { text.to_owned() };
    let (mut edits, mut tables) = (Vec::new(), Vec::new());
    for (key, new) in values {
        let old = value_at(&text, key)?;
        if old.as_ref() == Some(new) {
            continue;
        }
        for depth in 1..key.len() {
            if value_at(&text, &key[..depth])?.is_none() {
                text = put(&text, &key[..depth], &Value::Object(serde_json::Map::new()))?;
                tables.push(key[..depth].to_vec());
            }
        }
        text = put(&text, key, new)?;
        edits.push(Edit { key: key.clone(), old, new: new.clone() });
    }
    Ok(Edited { text, edits, tables })
}

/// Takes values out that are as we set them; the objects, where they are empty then. Also says whether nothing is left.
pub(super) fn take_out(
    text: &str,
    edits: &[Edit],
    tables: &[Key],
) -> Result<(String, Vec<Left>, bool), EditError> {
    let (mut text, mut left) = (text.to_owned(), Vec::new());
    for edit in edits.iter().rev() {
        let found = value_at(&text, &edit.key)?;
        if found.as_ref() != Some(&edit.new) {
            left.push(Left { key: edit.key.clone(), ours: edit.new.clone(), found });
            continue;
        }
        text = match &edit.old {
            Some(old) => put(&text, &edit.key, old)?,
            None => remove(&text, &edit.key)?,
        };
    }
    for key in tables.iter().rev() {
        if value_at(&text, key)?.is_some_and(|value| value == Value::Object(serde_json::Map::new()))
        {
            text = remove(&text, key)?;
        }
    }
    let is_empty = value_at(&text, &[])? == Some(Value::Object(serde_json::Map::new()));
    Ok((text, left, is_empty))
}

/// The value at `key`.
fn value_at(text: &str, key: &[String]) -> Result<Option<Value>, EditError> {
    let Some(span) = span_of(text, key)? else { return Ok(None) };
    serde_json::from_str(&text[span]).map(Some).map_err(|error| unreadable(&error))
}

/// Where the value at `key` is in `text`.
fn span_of(text: &str, key: &[String]) -> Result<Option<Range<usize>>, EditError> {
    let mut span = text.len() - text.trim_start().len()..text.trim_end().len();
    for (depth, name) in key.iter().enumerate() {
        let members = members(&text[span.clone()], &key[..depth])?;
        let Some((_, found)) = members.into_iter().find(|(known, _)| known == name) else {
            return Ok(None);
        };
        span = span.start + found.start..span.start + found.end;
    }
    Ok(Some(span))
}

/// The members of an object: names, and where their values are in its text.
fn members(object: &str, key: &[String]) -> Result<Vec<(String, Range<usize>)>, EditError> {
    let first = object.trim_start().chars().next();
    if first.is_some_and(|first| first != '{') && serde_json::from_str::<Value>(object).is_ok() {
        return Err(EditError::NoTable(key.to_vec()));
    }
    let found: JsonMembers = serde_json::from_str(object).map_err(|error| unreadable(&error))?;
    let place = |value: &RawValue| {
        let start = value.get().as_ptr().addr() - object.as_ptr().addr();
        start..start + value.get().len()
    };
    Ok(found.0.into_iter().map(|(name, value)| (name, place(value))).collect())
}

fn put(text: &str, key: &[String], value: &Value) -> Result<String, EditError> {
    let written = value.to_string();
    if let Some(span) = span_of(text, key)? {
        return Ok(format!("{}{written}{}", &text[..span.start], &text[span.end..]));
    }
    let Some((name, parents)) = key.split_last() else { return Ok(written) };
    let Some(object) = span_of(text, parents)? else {
        return Err(EditError::NoTable(parents.to_vec()));
    };
    let inside = &text[object.start + 1..object.end - 1];
    // As the first member is written.
    let blanks = &inside[..inside.len() - inside.trim_start().len()];
    let blanks = if blanks.is_empty() { " " } else { blanks };
    let member = format!("{}: {written}", Value::from(name.as_str()));
    let members = members(&text[object.clone()], parents)?;
    let (at, new) = match members.last() {
        Some((_, last)) => (object.start + last.end, format!(",{blanks}{member}")),
        None if parents.is_empty() => (object.start + 1, format!("\n    {member}\n")),
        None => (object.start + 1, member),
    };
    Ok(format!(
        "{}{new}{}",
        &text[..at],
        &text[if members.is_empty() { object.end - 1 } else { at }..]
    ))
}

fn remove(text: &str, key: &[String]) -> Result<String, EditError> {
    let Some((name, parents)) = key.split_last() else { return Ok(text.to_owned()) };
    let Some(object) = span_of(text, parents)? else { return Ok(text.to_owned()) };
    let members = members(&text[object.clone()], parents)?;
    let Some(place) = members.iter().position(|(known, _)| known == name) else {
        return Ok(text.to_owned());
    };
    let end = object.start + members[place].1.end;
    // With the comma before it, or where it is the first the one behind.
    let (start, end) = if let Some(before) = place.checked_sub(1) {
        (object.start + members[before].1.end, end)
    } else {
        let rest = &text[end..];
        let comma = rest.trim_start().strip_prefix(',');
        (object.start + 1, end + comma.map_or(0, |after| rest.len() - after.len()))
    };
    Ok(format!("{}{}", &text[..start], &text[end..]))
}

fn unreadable(error: &serde_json::Error) -> EditError {
    EditError::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(words: &[&str]) -> Key {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_set_and_taken_out_again_is_as_before() {
        let cdi = [(key(&["features", "cdi"]), Value::from(true))];
        for (before, after) in [
            ("", "{\n    \"features\": {\"cdi\": true}\n}\n"),
            ("{}\n", "{\n    \"features\": {\"cdi\": true}\n}\n"),
            (
                "{\n\t\"mtu\": 12345678901234567890123\n}\n",
                "{\n\t\"mtu\": 12345678901234567890123,\n\t\"features\": {\"cdi\": true}\n}\n",
            ),
            (
                "{\"features\": { \"buildkit\": true }, \"z\":1}",
                "{\"features\": { \"buildkit\": true, \"cdi\": true }, \"z\":1}",
            ),
            ("{\"features\": {\"cdi\": false}}", "{\"features\": {\"cdi\": true}}"),
        ] {
            let edited = set(before, &cdi).unwrap();
            assert_eq!(edited.text, after);
            assert!(set(after, &cdi).unwrap().edits.is_empty());
            let (back, left, is_empty) =
                take_out(&edited.text, &edited.edits, &edited.tables).unwrap();
            assert_eq!(left, []);
            assert_eq!(is_empty, before.trim().is_empty() || before == "{}\n");
            if !is_empty {
                assert_eq!(back, before);
            }
        }
    }

    #[test]
    fn what_somebody_changed_since_stays() {
        let edited = set("{\"a\": 1}", &[(key(&["features", "cdi"]), Value::from(true))]).unwrap();
        let since = edited.text.replace("true", "false").replace("\"a\": 1", "\"a\": 2");
        let (back, left, _) = take_out(&since, &edited.edits, &edited.tables).unwrap();
        assert_eq!(back, since);
        assert_eq!(left[0].to_string(), "features.cdi was true and is false now: it stays");
    }

    #[test]
    fn what_docker_would_not_read_is_refused() {
        for text in ["{", "[1]", "{\"a\": 1, \"a\": 2}", "{\"features\": 3}", "{} // no"] {
            assert!(
                set(text, &[(key(&["features", "cdi"]), Value::from(true))]).is_err(),
                "{text}"
            );
        }
    }
}
