//! The sentences that a program may say, read from its sources, and whether a page has them. A sentence is known by the words between what is
//! put into it: `pool {pool}: no free VF` and "pool fast: no free VF" are one.

use std::collections::BTreeSet;

use super::source::code_of;

/// The words of a sentence between its placeholders, in order. The first and the last are empty where it begins or ends with one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sentence(Vec<String>);

impl Sentence {
    /// From a format string.
    pub(crate) fn of_format(text: &str) -> Self {
        let (mut parts, mut depth) = (vec![String::new()], 0);
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match (letter, depth) {
                ('{' | '}', 0) if letters.peek() == Some(&letter) => {
                    letters.next();
                    parts.last_mut().unwrap().push(letter);
                }
                ('{', _) => depth += 1,
                ('}', _) => {
                    depth -= 1;
                    parts.push(String::new());
                }
                (other, 0) => parts.last_mut().unwrap().push(other),
                _ => {}
            }
        }
        Self(parts)
    }

    /// Whether it has words of its own: `{operation} {object}` has none, and what it says is said by what is put into it.
    pub(crate) fn speaks(&self) -> bool {
        self.0.concat().split(|letter: char| !letter.is_alphabetic()).any(|word| word.len() > 2)
    }

    /// Whether `line` is this sentence, with something in each of its places.
    pub(crate) fn is(&self, line: &str) -> bool {
        let [first, .., last] = &self.0[..] else { return self.0[0] == line };
        let begins = line.starts_with(first.as_str());
        let inner = line.get(first.len()..line.len().saturating_sub(last.len()));
        begins && line.ends_with(last.as_str()) && inner.is_some_and(|inner| self.within(inner))
    }

    /// Whether `line` has this sentence in it.
    pub(crate) fn is_part_of(&self, line: &str) -> bool {
        let mut rest = line;
        self.0.iter().all(|part| {
            rest.find(part.as_str()).is_some_and(|at| {
                rest = &rest[at + part.len()..];
                true
            })
        })
    }

    fn within(&self, inner: &str) -> bool {
        Self(self.0[1..self.0.len() - 1].to_vec()).is_part_of(inner)
    }
}

/// What thiserror makes of a text's error types.
pub(crate) fn of_errors(text: &str) -> BTreeSet<Sentence> {
    said_after(text, "#[error(").iter().map(|text| Sentence::of_format(text)).collect()
}

/// The first text in each call of `opening`, which ends with a bracket.
pub(crate) fn said_after(text: &str, opening: &str) -> BTreeSet<String> {
    let code = code_of(text);
    let mut found = BTreeSet::new();
    for rest in code.split(opening).skip(1) {
        let rest = rest.trim_start();
        let rest = rest.strip_prefix("format!(").unwrap_or(rest).trim_start();
        found.extend(rest.strip_prefix('"').map(|rest| literal(rest).0));
    }
    found
}

/// Every text of more than one word.
pub(crate) fn phrases(text: &str) -> BTreeSet<String> {
    let code: String = code_of(text)
        .split('\n')
        .filter(|line| !line.contains("reason ="))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = BTreeSet::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find('"') {
        let quoted = rest[..at].ends_with('\'') && rest[at + 1..].starts_with('\'');
        if quoted {
            rest = &rest[at + 2..];
            continue;
        }
        let (text, length) = literal(&rest[at + 1..]);
        found.insert(text);
        rest = &rest[at + 1 + length..];
    }
    found.retain(|text| text.contains(' '));
    found
}

/// The text that a literal is, of which the opening mark is gone, and how long it is with its closing mark.
fn literal(rest: &str) -> (String, usize) {
    let mut text = String::new();
    let mut letters = rest.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (text, at + 1),
            '\\' => match letters.next().map(|(_, letter)| letter) {
                Some('\n') => {
                    while letters.next_if(|(_, letter)| letter.is_whitespace()).is_some() {}
                }
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    panic!("a text without an end: {text}");
}

/// What a page says that the program says: its lines of quotation.
pub(crate) fn quoted(page: &str) -> Vec<&str> {
    let lines = page.lines().filter_map(|line| line.strip_prefix('>'));
    lines.map(str::trim).filter(|line| !line.is_empty()).collect()
}
