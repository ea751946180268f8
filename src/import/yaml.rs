//! Reads YAML into values that know their lines, one document after the other. Takes what `kubectl` does but aliases, anchors and
//! tags: a short file may make them mean a very long one, and objects are written without. Knows no format.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{
    Place, Remark,
    json::is_number,
    node::{DEEPEST, Key, Node, Text, Value},
};

/// A part of a file between two lines `---`, and where it begins.
pub(super) struct Document<'a> {
    pub(super) first: Place,
    pub(super) text: &'a str,
}

/// The documents of a file, apart from each other, so that a mistake in one is not in the way of the next.
pub(super) fn documents<'a>(text: &'a str, first: &Place) -> Vec<Document<'a>> {
    let mut documents = Vec::new();
    let (mut begin, mut at) = ((0, first.line()), (0, first.line()));
    for line in text.split_inclusive('\n') {
        let marks = line.strip_prefix("---");
        if marks.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            documents.push((begin, at.0));
            begin = at;
        }
        at = (at.0 + line.len(), at.1 + 1);
    }
    documents.push((begin, at.0));
    let parts = documents.into_iter().map(|((begin, line), end)| Document {
        first: first.on_line(line),
        text: &text[begin..end],
    });
    parts.filter(|document| says_something(document.text)).collect()
}

/// Whether there is more than comments, directives and marks.
fn says_something(text: &str) -> bool {
    let mut lines = text.lines().map(|line| line.strip_prefix("---").unwrap_or(line));
    lines.any(|line| {
        let said = line.trim();
        !said.is_empty() && !said.starts_with('#') && !line.starts_with('%') && said != "..."
    })
}

/// The values of a document: one, or none if there are only comments.
pub(super) fn parse(document: &Document) -> Result<Vec<Node>, Remark> {
    let mut text = Cow::Borrowed(document.text);
    for _ in 0..MOST_INDENTED {
        let Some(error) = first_error(&text) else { break };
        let Some(indented) = indented(&text, error.marker().index()) else { break };
        text = Cow::Owned(indented);
    }
    let mut reader = Reader {
        parser: Parser::new_from_str(&text),
        lines: text.lines().collect(),
        first: &document.first,
    };
    let mut nodes = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(nodes),
            (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
            (event, span) => nodes.push(reader.node(event, span, 0)?),
        }
    }
}

/// How many strings of a document may be indented less than they should be.
const MOST_INDENTED: usize = 64;

fn first_error(text: &str) -> Option<ScanError> {
    Parser::new_from_str(text).find_map(Result::err)
}

/// The text with the lines of the quoted string that begins at letter `start` indented, where they were not: people write JSON so, and
/// `kubectl` takes it. White space at the begin of such a line means nothing.
fn indented(text: &str, start: usize) -> Option<String> {
    const ENOUGH: &str = "                                ";
    let (start, quote) =
        text.char_indices().nth(start).filter(|(_, quote)| "'\"".contains(*quote))?;
    let mut escaped = false;
    let end = text[start + 1..].find(|letter: char| {
        let ends = letter == quote && !escaped;
        escaped = quote == '"' && letter == '\\' && !escaped;
        ends
    })?;
    let (before, rest) = text.split_at(start);
    let (string, after) = rest.split_at(end + 1);
    let flush = |line: &str| !line.trim().is_empty() && !line.starts_with(ENOUGH);
    string.lines().skip(1).any(flush).then(|| {
        let lines = string.replace('\n', &format!("\n{ENOUGH}"));
        format!("{before}{lines}{after}")
    })
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    lines: Vec<&'a str>,
    first: &'a Place,
}

impl<'a> Reader<'a> {
    /// Lines of the parser are numbered from 1.
    fn place(&self, line: usize) -> Place {
        self.first.on_line((self.first.line() + line).saturating_sub(1))
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Remark> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let place = self.place(error.marker().line());
                Err(place.remark(format!("not YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Remark> {
        let place = self.place(span.start.line());
        if depth > DEEPEST {
            return Err(place.remark(format!("nested more than {DEEPEST} deep")));
        }
        let bare = |anchor: usize, tagged: bool| {
            let wrong =
                "anchors, aliases and tags are not read here: write out what they stand for";
            if anchor == 0 && !tagged { Ok(()) } else { Err(place.remark(wrong)) }
        };
        let value = match event {
            Event::Scalar(value, style, anchor, tag) => {
                bare(anchor, tag.is_some())?;
                self.scalar(value.into_owned(), style, span)
            }
            Event::SequenceStart(anchor, tag) => {
                bare(anchor, tag.is_some())?;
                self.list(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                bare(anchor, tag.is_some())?;
                self.map(depth)?
            }
            _ => return Err(bare(1, false).err().unwrap_or_else(|| place.remark("not YAML"))),
        };
        Ok(Node { place, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Remark> {
        let mut elements = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(elements)),
                (event, span) => elements.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Remark> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let (name, place) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(entries)),
                (Event::Scalar(name, _, 0, None), span) => {
                    (name.into_owned(), self.place(span.start.line()))
                }
                (_, span) => {
                    return Err(self
                        .place(span.start.line())
                        .remark("a key that is no plain word"));
                }
            };
            if entries.iter().any(|(key, _)| key.name == name) {
                return Err(place.remark(format!("{name}: is here twice")));
            }
            let (event, span) = self.next()?;
            entries.push((Key { place, name }, self.node(event, span, depth + 1)?));
        }
    }

    fn scalar(&self, value: String, style: ScalarStyle, span: Span) -> Value {
        if style != ScalarStyle::Plain {
            let lines = self.as_written(style, span);
            return Value::Text(Text { value, lines });
        }
        match value.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            number if is_number(number) => Value::Number(value),
            _ => Value::Text(Text { value, lines: None }),
        }
    }

    /// The lines of a string as they stand in the file, for what JSON may be in it.
    fn as_written(&self, style: ScalarStyle, span: Span) -> Option<(Place, String)> {
        let (first, last) = (span.start.line(), span.end.line());
        match style {
            ScalarStyle::SingleQuoted if first < last => {
                let mut lines = self.lines.get(first - 1..last)?.iter();
                let begin: String = lines.next()?.chars().skip(span.start.col() + 1).collect();
                let rest = lines.copied().collect::<Vec<_>>().join("\n");
                let end = rest.rfind('\'')?;
                let text = format!("{begin}\n{}", &rest[..end]).replace("''", "'");
                Some((self.place(first), text))
            }
            // It begins with its first line that has letters, and ends where the next thing begins.
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let mut lines =
                    self.lines.get(first - 1..last.min(self.lines.len() + 1) - 1)?.to_vec();
                let end = self.lines.get(last - 1).copied().unwrap_or_default();
                let end = end.char_indices().nth(span.end.col()).map_or(end, |(at, _)| &end[..at]);
                lines.push(end);
                Some((self.place(first), lines.join("\n")))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<Vec<Node>, Remark>> {
        documents(text, &Place::new("f", 1)).iter().map(parse).collect()
    }

    #[test]
    fn documents_are_apart_and_know_their_lines() {
        let read = read("# first\na: 1\n---\n# only this\n---\nb: [\n---\nc:\n  - d\n...\n");
        assert_eq!(read.len(), 3);
        assert_eq!(read[0].as_ref().unwrap()[0].get("a").unwrap().place.line(), 2);
        let wrong = read[1].as_ref().unwrap_err();
        assert!((6..=7).contains(&wrong.place.line()), "{wrong}");
        let list = read[2].as_ref().unwrap()[0].get("c").unwrap();
        assert_eq!(list.list().unwrap()[0].place.line(), 9);
    }

    #[test]
    fn json_in_a_string_keeps_its_lines() {
        for text in [
            "a: |\n  {\n   \"b\":\n    7\n  }\nz: 1",
            "a: >-\n  {\n   \"b\":\n    7\n  }\nz: 1",
            "\na: '{\n   \"b\":\n7 }'\nz: 1",
            "a: |\n  {\n   \"b\":\n    7\n  }",
            "a: >\n\n  {\"b\":\n    7\n  }\n\n\n",
        ] {
            let read = read(text);
            let node = read[0].as_ref().unwrap()[0].get("a").unwrap().clone();
            let Value::Text(inside) = node.value else { panic!("{text}") };
            let (first, lines) = inside.lines.unwrap();
            let json = super::super::json::parse(&lines, &first).unwrap();
            assert_eq!(json.get("b").unwrap().place.line(), 4, "{text}");
        }
    }

    #[test]
    fn what_is_not_read() {
        for (text, line, said) in [
            ("a: &b 1\nc: *b", 1, "anchors"),
            ("a: 1\nc: !x b", 2, "tags"),
            ("a: 1\na: 2", 2, "twice"),
            ("? [a]\n: b", 1, "no plain word"),
            ("a: b: c", 1, "not YAML"),
            ("\n- a\nb: c", 3, "not YAML"),
            ("a: 'b\nc: d", 1, "not YAML"),
        ] {
            let wrong = read(text).remove(0).unwrap_err();
            assert!(wrong.place.line() == line && wrong.what.contains(said), "{text}: {wrong}");
        }
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(read(&deep).remove(0).is_err());
    }
}
