//! Reads one object key by key, and says of each that nobody asked for what becomes of it. Knows no format.

use std::{fmt, str::FromStr};

use super::{
    Place, Remark,
    keys::{Keys, Manner},
    node::{Key, Node, Value},
};
use crate::types::quote;

/// An object being read. Keys are taken out; what is left is told by [`Fields::finish`].
pub(super) struct Fields<'a, 'r> {
    keys: &'static Keys,
    place: &'a Place,
    entries: Vec<(&'a Key, &'a Node)>,
    remarks: &'r mut Vec<Remark>,
}

impl<'a, 'r> Fields<'a, 'r> {
    /// Begins with `node`, which must be an object; what there is to say goes to `remarks`.
    pub(super) fn of(
        node: &'a Node,
        keys: &'static Keys,
        remarks: &'r mut Vec<Remark>,
    ) -> Result<Self, Remark> {
        let entries = node.map().ok_or_else(|| node.expected(keys.of, "an object"))?;
        let entries = entries.iter().map(|(key, node)| (key, node)).collect();
        Ok(Self { keys, place: &node.place, entries, remarks })
    }

    /// The value of `key`, which is as good as absent where it is null. Of several the last counts, as in Go.
    pub(super) fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        debug_assert!(self.keys.takes(key), "{key} is not in the table of {}", self.keys.of);
        let mut last = None;
        let keys = self.keys;
        self.entries.retain(|(found, node)| {
            let same = keys.same(key, &found.name);
            if same && last.replace(*node).is_some() {
                self.remarks.push(
                    found.place.remark(format!("{key}: is here more than once: the last counts")),
                );
            }
            !same
        });
        last.filter(|node| !matches!(node.value, Value::Null))
    }

    /// Keys that were read already, or say nothing.
    pub(super) fn skip(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.node(key);
        }
    }

    /// The string at `key`; an empty one is as good as absent.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<&'a str>, Remark> {
        let Some(node) = self.node(key) else { return Ok(None) };
        let text = node.text().ok_or_else(|| node.expected(key, "a string"))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// The string at `key`, which must be there.
    pub(super) fn required(&mut self, key: &'static str) -> Result<&'a str, Remark> {
        let found = self.text(key)?;
        found.ok_or_else(|| self.place.remark(format!("{}: {key} is missing", self.keys.of)))
    }

    /// The string at `key` as a value of a type that checks it.
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<T>, Remark> {
        let place = self.place_of(key);
        self.text(key)?.map(|text| parsed(text, key, &place)).transpose()
    }

    /// Whether `key` is true.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<bool, Remark> {
        let Some(node) = self.node(key) else { return Ok(false) };
        let Value::Bool(yes) = node.value else { return Err(node.expected(key, "true or false")) };
        Ok(yes)
    }

    /// The number at `key`, which must fit `T`.
    pub(super) fn number<T: FromStr>(&mut self, key: &'static str) -> Result<Option<T>, Remark> {
        let Some(node) = self.node(key) else { return Ok(None) };
        let number = if let Value::Number(text) = &node.value { text.parse().ok() } else { None };
        number.map(Some).ok_or_else(|| node.expected(key, "a whole number in bounds"))
    }

    /// The elements of the list at `key`.
    pub(super) fn list(&mut self, key: &'static str) -> Result<&'a [Node], Remark> {
        let Some(node) = self.node(key) else { return Ok(&[]) };
        node.list().ok_or_else(|| node.expected(key, "a list"))
    }

    /// The list of strings at `key`.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<(&'a str, &'a Place)>, Remark> {
        let elements = self.list(key)?.iter();
        let texts = elements.map(|node| match node.text() {
            Some(text) => Ok((text, &node.place)),
            None => Err(node.expected(key, "strings")),
        });
        texts.collect()
    }

    /// The list of strings at `key`, each as a value of a type that checks it.
    pub(super) fn parsed_list<T: FromStr<Err: fmt::Display>>(
        &mut self,
        key: &'static str,
    ) -> Result<Vec<T>, Remark> {
        self.texts(key)?.into_iter().map(|(text, place)| parsed(text, key, place)).collect()
    }

    /// Whether `key` is there and says something.
    pub(super) fn has(&self, key: &str) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|(found, node)| {
            self.keys.same(key, &found.name) && !matches!(node.value, Value::Null)
        })
    }

    /// Where the object begins.
    pub(super) fn place(&self) -> &'a Place {
        self.place
    }

    /// Where the value of `key` is, or the object if it is absent.
    pub(super) fn place_of(&self, key: &str) -> Place {
        let mut entries = self.entries.iter();
        let found = entries.rfind(|(found, _)| self.keys.same(key, &found.name));
        found.map_or(self.place, |(found, _)| &found.place).clone()
    }

    /// Says something beside what is taken.
    pub(super) fn remark(&mut self, place: &Place, what: impl AsRef<str>) {
        self.remarks.push(place.remark(what));
    }

    /// Where remarks go, for a reader of a part.
    pub(super) fn remarks(&mut self) -> &mut Vec<Remark> {
        self.remarks
    }

    /// Tells of every key that is left.
    pub(super) fn finish(self) -> Result<(), Remark> {
        for (key, node) in self.entries {
            let name = quote(&key.name);
            let name = name.trim_matches('"');
            let left = if let Some(why) = self.keys.dropped(&key.name) {
                if node.is_nothing() {
                    continue;
                }
                why
            } else if self.keys.would_take(&key.name) {
                "has no effect beside the others"
            } else if self.keys.manner == Manner::Selecting {
                let wrong = format!(
                    "{name}: there is no such key ({}), and without it more devices would be chosen than were meant (known: {})",
                    self.keys.of,
                    self.keys.names()
                );
                return Err(key.place.remark(wrong));
            } else {
                "is not known, and has no effect"
            };
            self.remarks.push(key.place.remark(format!("{name}: {left}")));
        }
        Ok(())
    }
}

/// `text` as a value of a type that checks it.
pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(
    text: &str,
    key: &str,
    place: &Place,
) -> Result<T, Remark> {
    text.parse().map_err(|error| place.remark(format!("{key}: {error}")))
}
