//! What a reader knows of the keys of an object. docs/import.md has the same tables; the tests compare them.

/// The keys of one kind of object.
#[derive(Debug)]
pub struct Keys {
    /// Whose keys these are.
    pub of: &'static str,
    /// How it is with keys in another case, and with keys that are not known.
    pub manner: Manner,
    /// Keys with a counterpart, and where they go.
    pub taken: &'static [(&'static str, &'static str)],
    /// Keys without one, and why or what to do.
    pub dropped: &'static [(&'static str, &'static str)],
    /// Objects whose keys it has as well.
    pub also: &'static [&'static Keys],
}

/// How unusual keys are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As Go's JSON: in whatever case, unknown ones without effect.
    Loose,
    /// As the API server: unknown ones without effect.
    Cased,
    /// They choose devices: one that is not understood would let in more than was meant.
    Selecting,
}

impl Keys {
    /// Whether the two spellings are the same key.
    pub(super) fn same(&self, known: &str, found: &str) -> bool {
        if self.manner == Manner::Cased {
            known == found
        } else {
            known.eq_ignore_ascii_case(found)
        }
    }

    /// Whether `key` is taken, as it is spelled in the table.
    pub(super) fn takes(&self, key: &str) -> bool {
        self.taken.iter().any(|(known, _)| *known == key)
            || self.also.iter().any(|keys| keys.takes(key))
    }

    /// Whether `found` is taken, in the spelling of a file.
    pub(super) fn would_take(&self, found: &str) -> bool {
        self.taken.iter().any(|(known, _)| self.same(known, found))
            || self.also.iter().any(|keys| keys.would_take(found))
    }

    /// Why `found` has no counterpart, if it is known not to.
    pub(super) fn dropped(&self, found: &str) -> Option<&'static str> {
        let own = self.dropped.iter().find(|(known, _)| self.same(known, found));
        own.map(|(_, why)| *why).or_else(|| self.also.iter().find_map(|keys| keys.dropped(found)))
    }

    /// All that are taken, for a message.
    pub(super) fn names(&self) -> String {
        let own = self.taken.iter().map(|(known, _)| *known);
        own.collect::<Vec<_>>().join(", ")
    }
}
