//! Reads one TOML table field by field, noting every problem and every key that nobody asked for.
//!
//! serde stops at the first mistake; an operator wants all of them in one go.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{Problem, problem::words};
use crate::types::{Name, quote};

/// An element of an array of tables, as far as it could be read.
pub(super) struct Named<T> {
    /// Its name.
    pub(super) name: Option<Name>,
    /// The rest of it.
    pub(super) value: Option<T>,
}

impl<T> Named<T> {
    /// The element, if all of it could be read.
    pub(super) fn whole(self) -> Option<(Name, T)> {
        Some((self.name?, self.value?))
    }
}

/// A table being read. Fields are taken out; what is left at [`Section::finish`] is unknown.
pub(super) struct Section<'a> {
    path: String,
    table: Table,
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        path: impl Into<String>,
        table: Table,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self { path: path.into(), table, known: Vec::new(), problems }
    }

    /// Whether `key` is there and was not read yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The value of `key`; `None` when it is absent or wrong (which is then noted).
    pub(super) fn optional<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        let value = self.take(key)?;
        let found = outline(&value);
        match value.try_into() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, message_of(&error, &found));
                None
            }
        }
    }

    /// The value of `key`, which must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        if !self.table.contains_key(key) {
            self.known.push(key);
            self.problem(key, "is missing".to_owned());
            return None;
        }
        self.optional(key)
    }

    /// The elements of the array at `key`, each judged by itself; a single value stands for an array of one.
    pub(super) fn list<T: DeserializeOwned>(&mut self, key: &'static str) -> Vec<T> {
        let elements = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(elements)) => elements,
            Some(single) => vec![single],
        };
        let mut values = Vec::new();
        for (index, element) in elements.into_iter().enumerate() {
            let found = outline(&element);
            match element.try_into() {
                Ok(value) => values.push(value),
                Err(error) => self.problem(&format!("{key}[{index}]"), message_of(&error, &found)),
            }
        }
        values
    }

    /// The table at `key`, read by `read`; `None` when absent or not a table.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section) -> T,
    ) -> Option<T> {
        match self.take(key)? {
            Value::Table(table) => Some(read_whole(self.field(key), table, self.problems, read)),
            other => {
                self.problem(key, format!("expected a table, found {}", shown(&other)));
                None
            }
        }
    }

    /// Each table of the array `[[key]]`, read by `read`.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section) -> T,
    ) -> Vec<T> {
        let elements = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(elements)) if elements.iter().all(Value::is_table) => elements,
            Some(other) => {
                self.problem(key, format!("expected [[{key}]] tables, found {}", shown(&other)));
                return Vec::new();
            }
        };
        let tables = elements.into_iter().filter_map(|element| {
            if let Value::Table(table) = element { Some(table) } else { None }
        });
        tables
            .enumerate()
            .map(|(index, table)| {
                read_whole(self.field(&format!("{key}[{index}]")), table, self.problems, &mut read)
            })
            .collect()
    }

    /// All that is left, whatever it is called: for a table whose keys are an operator's own words.
    pub(super) fn rest(&mut self) -> Table {
        let rest = self.table.clone();
        self.table.clear();
        rest
    }

    /// Notes that `key` is wrong in a way that its type does not show.
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>) {
        let field = self.field(key);
        self.problems.push(Problem::new(field, message));
    }

    /// Notes every key that was not asked for.
    fn finish(self) {
        for key in self.table.keys() {
            let field = self.field(&fit_to_print(key));
            let known = self.known.join(", ");
            self.problems
                .push(Problem::new(field, "unknown key").fix(format!("known here: {known}")));
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn field(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// A key as TOML lets it be written without quotes, or quoted: it may be anything, a line break too.
pub(super) fn fit_to_print(key: &str) -> Cow<'_, str> {
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    if key.len() <= 64 && key.chars().all(is_bare) { key.into() } else { quote(key).into() }
}

/// Reads a whole table with `read`, then notes what is left of it.
pub(super) fn read_whole<T>(
    path: impl Into<String>,
    table: Table,
    problems: &mut Vec<Problem>,
    read: impl FnOnce(&mut Section) -> T,
) -> T {
    let mut section = Section::new(path, table, problems);
    let value = read(&mut section);
    section.finish();
    value
}

fn message_of(error: &toml::de::Error, found: &Value) -> String {
    let message = words(error.message());
    // The messages of `types::Invalid` quote what was found already.
    if message.starts_with('"') { message } else { format!("{message}, found {}", shown(found)) }
}

/// As much of a value as [`shown`] needs. To read a value uses it up, and most often nothing is wrong with it.
fn outline(value: &Value) -> Value {
    match value {
        Value::Table(_) => Value::Table(Table::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        scalar => scalar.clone(),
    }
}

/// A value as an operator wrote it, as far as a message needs it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Table(_) => "a table".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Datetime(moment) => moment.to_string(),
    }
}
