//! A value out of JSON or YAML that knows its line. Reads no text.

use super::{Place, Remark};
use crate::types::quote;

/// How deep values may be nested, in both notations.
pub(super) const DEEPEST: usize = 64;

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What both notations have.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(Text),
    List(Vec<Node>),
    /// In the order of the file; a key may be there twice.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) place: Place,
    pub(super) name: String,
}

/// A string, which may hold another document.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) value: String,
    /// The same up to white space, with the line breaks of the file, and where its first line is; where that can be told.
    pub(super) lines: Option<(Place, String)>,
}

impl Node {
    /// The string, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(&text.value) } else { None }
    }

    /// The entries, if it is a map.
    pub(super) fn map(&self) -> Option<&[(Key, Node)]> {
        if let Value::Map(entries) = &self.value { Some(entries) } else { None }
    }

    /// The elements, if it is a list.
    pub(super) fn list(&self) -> Option<&[Node]> {
        if let Value::List(elements) = &self.value { Some(elements) } else { None }
    }

    /// The value of a key that is spelled exactly so.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let found = self.map()?.iter().rfind(|(key, _)| key.name == name);
        found.map(|(_, node)| node).filter(|node| !matches!(node.value, Value::Null))
    }

    /// Whether a key is there, in whatever case.
    pub(super) fn has(&self, name: &str) -> bool {
        let mut entries = self.map().unwrap_or_default().iter();
        entries.any(|(key, node)| {
            key.name.eq_ignore_ascii_case(name) && !matches!(node.value, Value::Null)
        })
    }

    /// Whether it says nothing: what is absent means the same.
    pub(super) fn is_nothing(&self) -> bool {
        match &self.value {
            Value::Null | Value::Bool(false) => true,
            Value::Bool(true) => false,
            Value::Number(number) => number == "0",
            Value::Text(text) => text.value.trim().is_empty(),
            Value::List(elements) => elements.is_empty(),
            Value::Map(entries) => entries.is_empty(),
        }
    }

    /// A refusal: `key` should have been something else.
    pub(super) fn expected(&self, key: &str, what: &str) -> Remark {
        self.place.remark(format!("{key}: expected {what}, found {}", self.shown()))
    }

    /// The value as far as a message needs it.
    pub(super) fn shown(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(yes) => yes.to_string(),
            Value::Number(number) => number.chars().take(24).collect(),
            Value::Text(text) => quote(&text.value),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "an object".to_owned(),
        }
    }
}
