//! Reads JSON (RFC 8259) into values that know their lines. Accepts what Go and serde do, to a bounded depth; knows no format.

use super::{
    Place, Remark,
    node::{DEEPEST, Key, Node, Text, Value},
};

/// Reads `text`, whose first line is `first`.
pub(super) fn parse(text: &str, first: &Place) -> Result<Node, Remark> {
    let mut reader = Reader { rest: text, line: first.line(), first };
    let node = reader.value(0)?;
    match reader.next_letter() {
        None => Ok(node),
        Some(letter) => Err(reader.wrong(&format!("expected nothing more, found {letter:?}"))),
    }
}

/// Reads the JSON that is in a string, telling its lines where the file shows them.
pub(super) fn parse_inside(text: &Text, place: &Place) -> Result<Node, Remark> {
    let flat = parse(&text.value, place).map_err(|wrong| place.remark(wrong.what));
    let Some((first, lines)) = &text.lines else { return flat };
    match (parse(lines, first), flat) {
        (Ok(node), Ok(_)) => Ok(node),
        (Err(wrong), Err(_)) => Err(wrong),
        (_, flat) => flat,
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    first: &'a Place,
}

impl Reader<'_> {
    fn place(&self) -> Place {
        self.first.on_line(self.line)
    }

    fn wrong(&self, what: &str) -> Remark {
        self.place().remark(format!("not JSON: {what}"))
    }

    /// The next letter that is no white space, without taking it.
    fn next_letter(&mut self) -> Option<char> {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let skipped = &self.rest[..self.rest.len() - rest.len()];
        self.line += skipped.matches('\n').count();
        self.rest = rest;
        rest.chars().next()
    }

    fn take(&mut self, word: &str) -> bool {
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Result<Node, Remark> {
        if depth > DEEPEST {
            return Err(self.wrong(&format!("nested more than {DEEPEST} deep")));
        }
        let next = self.next_letter();
        let place = self.place();
        let value = match next {
            Some('{') => self.map(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Value::Text(Text { value: self.string()?, lines: None }),
            Some('-' | '0'..='9') => self.number()?,
            _ if self.take("true") => Value::Bool(true),
            _ if self.take("false") => Value::Bool(false),
            _ if self.take("null") => Value::Null,
            Some(letter) => return Err(self.wrong(&format!("expected a value, found {letter:?}"))),
            None => return Err(self.wrong("it ends where a value is expected")),
        };
        Ok(Node { place, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Remark> {
        self.rest = &self.rest[1..];
        let mut elements = Vec::new();
        if self.next_letter() == Some(']') {
            self.rest = &self.rest[1..];
            return Ok(Value::List(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            if self.ends(']')? {
                return Ok(Value::List(elements));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Remark> {
        self.rest = &self.rest[1..];
        let mut entries = Vec::new();
        if self.next_letter() == Some('}') {
            self.rest = &self.rest[1..];
            return Ok(Value::Map(entries));
        }
        loop {
            match self.next_letter() {
                Some('"') => {}
                Some(found) => {
                    return Err(self.wrong(&format!("expected a key in quotes, found {found:?}")));
                }
                None => return Err(self.wrong("it ends where a key is expected")),
            }
            let place = self.place();
            let key = Key { place, name: self.string()? };
            if self.next_letter() != Some(':') {
                return Err(self.wrong("expected a colon after a key"));
            }
            self.rest = &self.rest[1..];
            entries.push((key, self.value(depth + 1)?));
            if self.ends('}')? {
                return Ok(Value::Map(entries));
            }
        }
    }

    /// After an element: whether that was the last.
    fn ends(&mut self, end: char) -> Result<bool, Remark> {
        match self.next_letter() {
            Some(letter) if letter == end => {
                self.rest = &self.rest[1..];
                return Ok(true);
            }
            Some(',') => self.rest = &self.rest[1..],
            Some(letter) => {
                return Err(self.wrong(&format!("expected a comma or {end:?}, found {letter:?}")));
            }
            None => return Err(self.wrong(&format!("it ends before a {end:?}"))),
        }
        let comma = self.line;
        if self.next_letter() == Some(end) {
            self.line = comma;
            return Err(self.wrong(&format!("a comma before {end:?}, where nothing follows")));
        }
        Ok(false)
    }

    fn number(&mut self) -> Result<Value, Remark> {
        let length = self
            .rest
            .find(|letter: char| !letter.is_ascii_alphanumeric() && !"+-.".contains(letter));
        let (number, rest) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        if !is_number(number) {
            return Err(self.wrong(&format!("{number:.24?} is no number")));
        }
        self.rest = rest;
        Ok(Value::Number(number.to_owned()))
    }

    fn string(&mut self) -> Result<String, Remark> {
        let mut value = String::new();
        let mut letters = self.rest[1..].chars();
        loop {
            match letters.next() {
                None => return Err(self.wrong("a string without its end")),
                Some('"') => break,
                Some('\\') => {
                    let letter = escape(&mut letters);
                    value.push(letter.ok_or_else(|| self.wrong("an escape that is none"))?);
                }
                Some(letter) if letter < ' ' => {
                    return Err(self.wrong("a line break or control character in a string"));
                }
                Some(letter) => value.push(letter),
            }
        }
        self.rest = letters.as_str();
        Ok(value)
    }
}

fn escape(letters: &mut std::str::Chars) -> Option<char> {
    Some(match letters.next()? {
        plain @ ('"' | '\\' | '/') => plain,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let first = unit(letters)?;
            if !(0xd800..0xdc00).contains(&first) {
                return char::from_u32(first);
            }
            if (letters.next(), letters.next()) != (Some('\\'), Some('u')) {
                return None;
            }
            let second = unit(letters)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second);
        }
        _ => return None,
    })
}

/// The four digits of an escape.
fn unit(letters: &mut std::str::Chars) -> Option<u32> {
    (0..4).try_fold(0, |unit, _| Some(unit << 4 | letters.next()?.to_digit(16)?))
}

/// Whether `text` is what JSON calls a number.
pub(super) fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let exponent_fits =
        exponent.is_none_or(|part| digits(part.strip_prefix(['+', '-']).unwrap_or(part)));
    let (whole, part) = match mantissa.split_once('.') {
        Some((whole, part)) => (whole, Some(part)),
        None => (mantissa, None),
    };
    let whole_fits = digits(whole) && (whole == "0" || !whole.starts_with('0'));
    whole_fits && part.is_none_or(digits) && exponent_fits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Node, Remark> {
        parse(text, &Place::new("f", 1))
    }

    /// The value as serde has it; numbers that it cannot hold are `None`.
    fn plain(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(yes) => (*yes).into(),
            Value::Number(number) => serde_json::from_str(number).unwrap(),
            Value::Text(text) => text.value.clone().into(),
            Value::List(elements) => elements.iter().map(plain).collect(),
            Value::Map(entries) => {
                entries.iter().map(|(key, node)| (key.name.clone(), plain(node))).collect()
            }
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        for (text, line, said) in [
            ("{\n\"a\": 1,\n}", 2, "a comma before '}'"),
            ("[1,\n2\n3]", 3, "expected a comma"),
            ("{\n\"a\" 1}", 2, "colon"),
            ("{\n\n\"a\": \"b", 3, "without its end"),
            ("{\n\n\"a\": tru }", 3, "expected a value"),
            ("{\"a\": 01}", 1, "is no number"),
            ("{}\n{}", 2, "nothing more"),
            ("", 1, "ends where a value"),
            ("{\n'a': 1}", 2, "a key in quotes"),
            (&"[".repeat(100), 1, "deep"),
        ] {
            let wrong = read(text).unwrap_err();
            assert!(wrong.place.line() == line && wrong.what.contains(said), "{text}: {wrong}");
        }
    }

    #[test]
    fn values_know_their_lines() {
        let node = read("{\n \"a\":\n  [1,\n   \"x\"]\n}").unwrap();
        let list = node.get("a").unwrap();
        let lines: Vec<_> = list.list().unwrap().iter().map(|node| node.place.line()).collect();
        assert_eq!((list.place.line(), lines), (3, vec![3, 4]));
    }

    proptest! {
        #[test]
        fn it_accepts_what_serde_does(text in "[\\[\\]{}:,\"a\\\\u0-9dDeE.+ \n-]{0,24}|(\\{\"[a-c]\": ?(-?[0-9.]{1,3}|\"\\\\u[d0-9]{4}\"|\\[1,?2?\\]),?\\})") {
            match (read(&text), serde_json::from_str::<serde_json::Value>(&text)) {
                (Ok(node), Ok(value)) => prop_assert_eq!(plain(&node), value),
                (Err(_), Err(_)) => {}
                // It has no place for the largest numbers.
                (Ok(_), Err(error)) if error.to_string().contains("out of range") => {}
                (ours, theirs) => prop_assert!(false, "{ours:?} and {theirs:?}"),
            }
        }
    }
}
