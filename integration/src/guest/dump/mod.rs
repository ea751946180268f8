//! The whole state of the host's network as a sorted list of facts, and the comparison of two of them.
//!
//! "Leaves no trace" means that two dumps are equal. What is left out of a dump is left out by name, in `volatile`, with the reason; nothing
//! is left out because nobody thought of it.

mod collect;
mod flatten;
mod ruleset;
mod volatile;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::collect::{print_sysctls, take};

/// Facts by what they are about, such as `host link ens1f0v3 mtu`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dump {
    facts: BTreeMap<String, String>,
}

impl Dump {
    /// Adds a fact unless it is one that changes by itself. Two facts about the same thing are both kept: routes may well be there twice.
    fn add(&mut self, about: impl Into<String>, value: impl Into<String>) {
        let (about, value) = (about.into(), value.into());
        if volatile::is(&about, &value) {
            return;
        }
        let mut key = about.clone();
        let mut number = 1;
        while self.facts.contains_key(&key) {
            number += 1;
            key = format!("{about} (no. {number})");
        }
        self.facts.insert(key, value);
    }

    /// How many facts there are.
    pub(crate) fn len(&self) -> usize {
        self.facts.len()
    }

    /// What differs, a line each: `-` was there before, `+` is there now, `~` is another value. Nothing when they are equal.
    pub(crate) fn differences(&self, after: &Self) -> Vec<String> {
        let keys: BTreeSet<&String> = self.facts.keys().chain(after.facts.keys()).collect();
        keys.into_iter()
            .filter_map(|key| match (self.facts.get(key), after.facts.get(key)) {
                (Some(old), Some(new)) if old == new => None,
                (Some(old), Some(new)) => Some(format!("~ {key}: {old} -> {new}")),
                (Some(old), None) => Some(format!("- {key}: {old}")),
                (None, Some(new)) => Some(format!("+ {key}: {new}")),
                (None, None) => None,
            })
            .collect()
    }

    /// What the kernel says it has not made up its mind about: addresses that it still looks for duplicates of.
    pub(crate) fn unsettled(&self) -> Vec<String> {
        self.facts.keys().filter(|key| key.ends_with(" tentative")).cloned().collect()
    }

    /// Every fact, a line each.
    pub(crate) fn text(&self) -> String {
        let lines: Vec<String> =
            self.facts.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(facts: &[(&str, &str)]) -> Dump {
        let mut dump = Dump::default();
        for (about, value) in facts {
            dump.add(*about, *value);
        }
        dump
    }

    #[test]
    fn equal_dumps_have_no_differences() {
        let one = dump(&[("host link a mtu", "1500"), ("host route x", "present")]);
        assert_eq!(one.differences(&one.clone()), Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_difference_is_told() {
        let before = dump(&[("a", "1"), ("b", "1"), ("same", "1")]);
        let after = dump(&[("b", "2"), ("c", "1"), ("same", "1")]);
        assert_eq!(before.differences(&after), ["- a: 1", "~ b: 1 -> 2", "+ c: 1"]);
    }

    #[test]
    fn the_same_route_twice_is_not_the_same_as_once() {
        let once = dump(&[("host route x", "present")]);
        let twice = dump(&[("host route x", "present"), ("host route x", "present")]);
        assert_eq!(once.differences(&twice), ["+ host route x (no. 2): present"]);
    }
}
